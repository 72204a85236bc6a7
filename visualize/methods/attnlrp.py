"""AttnLRP: the class's score, handed back layer by layer, through attention too, until it reaches the patches."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from visualize.methods.base import Method, Target, check_number
from visualize.tokens import sum_patches
from vit.model import ACTIVATIONS, MLP, SwiGLU, TransformerEncoderBlock, ViT

Linear = Callable[[Tensor, Tensor, Tensor | None], Tensor]  # what maps an input with a weight and a bias

# The forward pass below computes what the model computes; only its gradients differ. Each rule is written so that
# x ⊙ ∂y/∂x is the relevance that the rule gives to x: no hooks, nothing on the modules.


def gamma_rule(x: Tensor, weight: Tensor, bias: Tensor | None, gamma: float, linear: Linear) -> Tensor:
    """A linear map whose contributions of the output's own sign count 1 + γ times; γ = 0 is the ε-rule.

    z_ij = x_i w_ij; R_i = Σ_j (z_ij + γ [z_ij of y_j's sign]) / (the same, summed over i, and the bias) R_j.
    """
    weight, bias = weight.detach(), None if bias is None else bias.detach()
    y = linear(x, weight, bias)
    if gamma == 0:
        return y
    up, down = weight + gamma * weight.relu(), weight - gamma * (-weight).relu()
    bias_up = None if bias is None else bias + gamma * bias.relu()
    bias_down = None if bias is None else bias - gamma * (-bias).relu()
    positive = x.relu()
    negative = x - positive
    raised = linear(positive, up, bias_up) + linear(negative, down, None)  # for outputs above 0
    lowered = linear(positive, down, bias_down) + linear(negative, up, None)  # for outputs below 0
    z = torch.where(y > 0, raised, lowered)
    return z * ratio(y, z)


def ratio(y: Tensor, x: Tensor) -> Tensor:
    """y / x as a constant, 0 where x is 0."""
    return torch.where(x == 0, 0, y / torch.where(x == 0, 1, x)).detach()


def identity_rule(x: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
    """An elementwise function that hands its relevance on as it is: f(x) = x · constant."""
    return x * ratio(function(x), x)


def norm_rule(norm: nn.Module, x: Tensor) -> Tensor:
    """LayerNorm whose deviation is a constant, which makes it linear. An identity stays one."""
    if not isinstance(norm, nn.LayerNorm):
        return norm(x)
    centred = x - x.mean(dim=-1, keepdim=True)
    deviation = (centred.detach().square().mean(dim=-1, keepdim=True) + norm.eps).sqrt()
    return centred / deviation * norm.weight + norm.bias


def share(x: Tensor, part: float) -> Tensor:
    """The same values, of whose relevance only `part` goes on."""
    return part * x + ((1 - part) * x).detach()


def attend(block: TransformerEncoderBlock, x: Tensor, cp: bool = False, gamma: float = 0) -> Tensor:
    """Attention [B N D]: each product of two matrices gives half of its relevance to either."""
    lin = lambda m, x: gamma_rule(x, m.weight, m.bias, gamma, F.linear)
    a = block.self_attn
    B, N, D = x.shape
    q, k, v = lin(a.qkv, x).reshape(B, N, 3, a.heads, D // a.heads).permute(2, 0, 3, 1, 4).unbind(0)
    if cp:
        q, k = q.detach(), k.detach()
        o = block.self_attn.scores(q, k).softmax(-1) @ v
    else:
        q, k, v = share(q, 0.25), share(k, 0.25), share(v, 0.5)
        o = block.self_attn.scores(q, k).softmax(-1) @ v
    return lin(a.proj, o.transpose(1, 2).flatten(2))


def feed(mlp: MLP | SwiGLU, x: Tensor, gamma: float) -> Tensor:
    def linear(part: nn.Linear, x: Tensor) -> Tensor:
        return gamma_rule(x, part.weight, part.bias, gamma, F.linear)

    x = linear(mlp.fc1, x)
    if isinstance(mlp, SwiGLU):
        gate, value = x.chunk(2, dim=-1)
        x = share(identity_rule(gate, F.silu) * value, 0.5)
    else:
        x = identity_rule(x, ACTIVATIONS[mlp.activation])
    return linear(mlp.fc2, x)


def logits_by_rules(model: ViT, pixels: Tensor, conv: float, gamma: float, cp=False, ag=0.0) -> Tensor:
    e, c = model.patch_embedding, model.config
    stride = c.patch_size

    def convolve(x, w, b):
        return F.conv2d(x, w, b, stride=stride)

    x = gamma_rule(pixels, e.projection.weight, e.projection.bias, conv, convolve).flatten(2).transpose(1, 2)
    x = torch.cat([e.prefix_tokens(len(x)), x], dim=1) + e.positions_for(e.grid_of(pixels))
    x = norm_rule(model.norm, x)
    for block in model.blocks:
        x = block.residual1.add(x, attend(block, norm_rule(block.residual1.norm, x), cp, ag))
        x = block.residual2.add(x, feed(block.feed_forward, norm_rule(block.residual2.norm, x), gamma))
    x = norm_rule(model.classification_head.norm, x)
    l = model.classification_head.linear
    return gamma_rule(x[:, 0], l.weight, l.bias, gamma, F.linear)


def run(model: ViT, pixels: Tensor, target: Target, *, conv=0.25, linear=0.05, cp=False, ag=0.0) -> Tensor:
    x = pixels.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(target.score(logits_by_rules(model, x, conv, linear, cp, ag)).sum(), x)
    return sum_patches((pixels * gradient).sum(dim=1), model.patch_embedding.grid_of(pixels))
