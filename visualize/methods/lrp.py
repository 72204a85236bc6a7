"""LRP with the γ-rule: the class's score, handed back layer by layer until it reaches the patches.

The rules are AttnLRP's (Achtibat et al. 2024). Inside attention its authors' library holds the weights constant on
ViTs, as CP-LRP does (Ali et al. 2022), and so does this method unless asked: measured here, that is the better map.

The forward pass here computes what the model computes; only its gradients differ. Each rule is written so that
x ⊙ ∂y/∂x is the relevance that the rule gives to x. No hooks, and nothing changes on the model.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from visualize.methods.base import Method, Target, check_choice, check_number
from visualize.tokens import sum_patches
from vit.model import ACTIVATIONS, MLP, MultiHeadSelfAttention, SwiGLU, ViT

Linear = Callable[[Tensor, Tensor, Tensor | None], Tensor]  # of input, weight and bias
ATTENTION = ("constant", "attnlrp")


def ratio(y: Tensor, x: Tensor) -> Tensor:
    """y / x as a constant, 0 where x is 0."""
    zero = x == 0
    return (y / x.masked_fill(zero, 1)).masked_fill(zero, 0).detach()


def gamma_rule(x: Tensor, weight: Tensor, bias: Tensor | None, gamma: float, linear: Linear = F.linear) -> Tensor:
    """A linear map y = x W + b in which contributions of the output's own sign count 1 + γ times.

    R_i = Σ_j (z_ij + γ z_ij [z_ij y_j > 0]) / (y_j + γ Σ_k z_kj [z_kj y_j > 0]) R_j with z_ij = x_i w_ij, the bias
    being one of the k. γ = 0 is the ε-rule with ε → 0. `linear` is what applies weight and bias, such as a convolution.
    Source: Montavon et al. 2019, "Layer-Wise Relevance Propagation: An Overview", here for either sign.
    """
    y = linear(x, weight, bias)
    if gamma == 0:
        return y
    positive = x.relu()
    negative = x - positive
    weight, bias = weight.detach(), None if bias is None else bias.detach()
    up, down = weight + gamma * weight.clamp(min=0), weight + gamma * weight.clamp(max=0)
    bias_up = None if bias is None else bias + gamma * bias.clamp(min=0)
    bias_down = None if bias is None else bias + gamma * bias.clamp(max=0)
    above = linear(positive, up, bias_up) + linear(negative, down, None)  # positive contributions count 1 + γ times
    below = linear(positive, down, bias_down) + linear(negative, up, None)  # negative ones do
    z = torch.where(y > 0, above, below)
    return z * ratio(y, z)


def identity_rule(x: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
    """An elementwise function that hands its relevance on as it is: f(x) = x · constant."""
    return x * ratio(function(x), x)


def norm_rule(norm: nn.Module, x: Tensor) -> Tensor:
    """LayerNorm with its deviation held constant, which makes it linear. A missing norm stays one."""
    if not isinstance(norm, nn.LayerNorm):
        return norm(x)
    centred = x - x.mean(dim=-1, keepdim=True)
    deviation = (centred.detach().square().mean(dim=-1, keepdim=True) + norm.eps).sqrt()
    return centred / deviation * norm.weight + norm.bias


def share(x: Tensor, part: float) -> Tensor:
    """The same values, of whose relevance only `part` goes on."""
    return part * x + ((1 - part) * x).detach()


@dataclass(frozen=True)
class Rules:
    """A model's forward pass, rewritten by the rules."""

    gamma_patches: float
    gamma: float
    attention: str

    def linear(self, part: nn.Linear, x: Tensor) -> Tensor:
        return gamma_rule(x, part.weight, part.bias, self.gamma)

    def embed(self, model: ViT, pixels: Tensor) -> Tensor:
        """Tokens [B N D]; positions and prefix tokens keep the relevance that reaches them."""
        e = model.patch_embedding

        def convolve(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
            return F.conv2d(x, weight, bias, stride=e.patch_size)

        x = gamma_rule(pixels, e.projection.weight, e.projection.bias, self.gamma_patches, convolve)
        x = torch.cat([e.prefix_tokens(len(x)), x.flatten(2).transpose(1, 2)], dim=1)
        return norm_rule(model.norm, x + e.positions_for(e.grid_of(pixels)))

    def attend(self, part: MultiHeadSelfAttention, x: Tensor) -> Tensor:
        """Attention [B N D] with the ε-rule. Held constant, the weights are one more linear map, on the values.

        By AttnLRP, each product of two matrices gives half of its relevance to either: values keep ½, queries and
        keys ½ of the attention's ½. Gradient × input of the softmax s(x) is the rule already:
        R_i = x_i (R_i − s_i Σ_j R_j), on the right the relevance of s.
        """
        q, k, v = part.queries_keys_values(x)
        if self.attention == "constant":
            return part.join(part.scores(q, k).softmax(dim=-1).detach() @ v)
        q, k, v = share(q, 0.25), share(k, 0.25), share(v, 0.5)
        return part.join(part.scores(q, k).softmax(dim=-1) @ v)

    def feed(self, part: MLP | SwiGLU, x: Tensor) -> Tensor:
        """The MLP; a gate and its value get half of their product's relevance each."""
        x = self.linear(part.fc1, x)
        if isinstance(part, MLP):
            return self.linear(part.fc2, identity_rule(x, ACTIVATIONS[part.activation]))
        gate, value = x.chunk(2, dim=-1)
        return self.linear(part.fc2, share(identity_rule(gate, F.silu) * value, 0.5))

    def classify(self, model: ViT, x: Tensor, other: Tensor | None = None) -> Tensor:
        head = model.classification_head
        assert head.linear is not None
        logits = self.linear(head.linear, x)
        if head.dist_linear is None:
            return logits
        return (logits + self.linear(head.dist_linear, x if other is None else other)) / 2

    def read_out(self, model: ViT, x: Tensor) -> Tensor:
        """`ViT.read_out` by the rules: tokens [B N D] to logits [B classes]."""
        norm, c = model.classification_head.norm, model.config
        if c.readout == "class":
            return self.classify(model, norm_rule(norm, x[:, 0]))
        if c.readout == "mean" and c.head_norm == "pooled":
            return self.classify(model, norm_rule(norm, x[:, c.prefix :].mean(dim=1)))
        x = norm_rule(norm, x)
        if c.readout == "mean":
            return self.classify(model, x[:, c.prefix :].mean(dim=1))
        if c.readout == "class_mean":
            return self.classify(model, torch.cat([x[:, 0], x[:, c.prefix :].mean(dim=1)], dim=-1))
        return self.classify(model, x[:, 0], x[:, 1])

    def logits(self, model: ViT, pixels: Tensor) -> Tensor:
        """What `model(pixels)` gives, with the rules' gradients: [B classes]."""
        x = self.embed(model, pixels)
        for block in model.blocks:
            x = block.residual1.add(x, self.attend(block.self_attn, norm_rule(block.residual1.norm, x)))
            x = block.residual2.add(x, self.feed(block.feed_forward, norm_rule(block.residual2.norm, x)))
        return self.read_out(model, x)


def run(
    model: ViT,
    pixels: Tensor,
    target: Target,
    *,
    gamma_patches: float = 0.25,
    gamma: float = 0.05,
    attention: str = "constant",
) -> Tensor:
    """Relevance of each patch for y_c: the sum of x ⊙ ∂y_c/∂x by the rules over its numbers, signed [B rows cols].

    γ-rule in the patch embedding (`gamma_patches`) and in the linear maps outside attention (`gamma`); ε-rule inside
    it; identity through nonlinearities and through LayerNorm, its deviation held constant. `attention` "constant"
    holds the attention weights too; "attnlrp" lets relevance flow through the softmax to queries and keys, which is
    the full AttnLRP. What reaches biases, positions and prefix tokens stays there, so the map adds up to y_c only
    without them, and not at all through the softmax.
    Source: Achtibat et al., "AttnLRP", ICML 2024, arXiv 2402.05602, section 3, with its γ for ViT-B/16; for constant
    attention Ali et al., ICML 2022, arXiv 2202.07304.
    """
    check_number("gamma_patches", gamma_patches, 0, 1000)
    check_number("gamma", gamma, 0, 1000)
    check_choice("attention", attention, ATTENTION)
    x = pixels.detach().requires_grad_()
    logits = Rules(gamma_patches, gamma, attention).logits(model, x)
    (gradient,) = torch.autograd.grad(target.score(logits).sum(), x)
    return sum_patches((pixels * gradient).sum(dim=1), model.patch_embedding.grid_of(pixels))


METHOD = Method(
    name="lrp",
    label="LRP with γ",
    needs_target=True,
    paper="Achtibat et al., ICML 2024, arXiv 2402.05602; Ali et al., ICML 2022, arXiv 2202.07304",
    shows="How much of the chosen class's score each patch gets, for or against, when every layer hands it back.",
    limits="It does not show what positions and biases contribute, and other rules would share the score differently.",
    run=run,
    gradient=True,
    contrastive=True,
)
