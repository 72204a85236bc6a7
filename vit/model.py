"""The Vision Transformer of Dosovitskiy et al. 2021, "An Image is Worth 16x16 Words" (arXiv 2010.11929).

Read it from top to bottom: a photo becomes patches, patches become tokens, tokens exchange what they know in
`depth` blocks, and the head reads the class token. In the comments B is the batch, C the channels, N the tokens
(prefix first, then patches in reading order), D the width, h the heads, d = D / h the width of one head.
Nothing is stored while computing: `ViT.trace` returns every attention map and every token, `ViT.forward` keeps none.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vit.config import Activation, Interpolation, Positions, ViTConfig
from vit.positions import resize_positions, sincos_1d, sincos_2d


def patchify(pixels: Tensor, patch_size: int) -> Tensor:
    """Cut images [B C H W] into flattened patches [B patches C*P*P], row by row (section 3.1, equation 1).

    The grid axes are moved in front of the axes inside a patch *before* flattening; reshaping alone would
    scramble the picture. Numbers inside a patch are ordered channel, row, column, as in a convolution's weight.
    """
    B, C, H, W = pixels.shape
    P = patch_size
    x = pixels.reshape(B, C, H // P, P, W // P, P)  # [B C rows P cols P]
    x = x.permute(0, 2, 4, 1, 3, 5)  # [B rows cols C P P]
    return x.reshape(B, (H // P) * (W // P), C * P * P)  # [B patches C*P*P]


class PatchEmbedding(nn.Module):
    """Photo to tokens: project each patch, put the prefix tokens in front, add positions (section 3.1, equation 1).

    Input [B C H W], H and W multiples of the patch; output [B prefix+patches D]. Another grid's positions are resized.
    """

    def __init__(
        self,
        in_channels: int = 3,
        patch_size: int = 16,
        emb_size: int = 768,
        img_size: int | tuple[int, int] = 224,
        *,
        class_token: bool = True,
        distillation_token: bool = False,
        registers: int = 0,
        positions: Positions = "learned",
        position_prefix: int | None = None,
        interpolation: Interpolation = "antialias",
        bias: bool = True,
    ) -> None:
        super().__init__()
        height, width = (img_size, img_size) if isinstance(img_size, int) else img_size
        self.in_channels, self.patch_size, self.emb_size = in_channels, patch_size, emb_size
        self.grid = height // patch_size, width // patch_size
        self.kind: Positions = positions
        self.interpolation: Interpolation = interpolation
        # A convolution whose stride equals its kernel is one linear map, applied to every patch.
        self.projection = nn.Conv2d(in_channels, emb_size, patch_size, stride=patch_size, bias=bias)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, emb_size)) if class_token else None
        self.dist_token = nn.Parameter(torch.zeros(1, 1, emb_size)) if distillation_token else None
        self.register_tokens = nn.Parameter(torch.zeros(1, registers, emb_size)) if registers else None
        self.prefix = int(class_token) + int(distillation_token) + registers
        self.positioned = self.prefix - registers if position_prefix is None else position_prefix
        tokens = self.positioned + self.grid[0] * self.grid[1]
        self.positions = nn.Parameter(torch.zeros(tokens, emb_size)) if positions == "learned" else None
        for parameter in (self.cls_token, self.dist_token, self.register_tokens, self.positions):
            if parameter is not None:
                nn.init.trunc_normal_(parameter, std=0.02)

    def grid_of(self, pixels: Tensor) -> tuple[int, int]:
        """Rows and columns of patches in images [B C H W]; raises ValueError for a shape that cannot be cut."""
        if pixels.ndim != 4 or pixels.shape[1] != self.in_channels:
            raise ValueError(f"Expected pixels [B {self.in_channels} H W], got a tensor of shape {list(pixels.shape)}.")
        H, W, P = pixels.shape[2], pixels.shape[3], self.patch_size
        if H < P or W < P or H % P or W % P:
            raise ValueError(f"Height {H} and width {W} must be multiples of the patch size {P}.")
        return H // P, W // P

    def project(self, pixels: Tensor) -> Tensor:
        """Patches as tokens, before prefix and positions: [B C H W] to [B patches D]."""
        x = self.projection(pixels)  # [B D rows cols]
        return x.flatten(2).transpose(1, 2)  # [B patches D]

    def prefix_tokens(self, batch: int) -> Tensor:
        """Class token, then distillation token, then registers, copied for each image: [B prefix D]."""
        parts: list[Tensor] = [p for p in (self.cls_token, self.dist_token, self.register_tokens) if p is not None]
        if not parts:
            return self.projection.weight.new_zeros(batch, 0, self.emb_size)
        return torch.cat(parts, dim=1).expand(batch, -1, -1)

    def positions_for(self, grid: tuple[int, int]) -> Tensor:
        """What is added to the tokens of this grid: [prefix+patches D], zero where a prefix token has no position."""
        like = self.projection.weight
        if self.positions is not None:
            own, patches = self.positions[: self.positioned], self.positions[self.positioned :]
            patches = resize_positions(patches, self.grid, grid, self.interpolation)
        elif self.kind == "sincos_1d":  # Vaswani et al. 2017: one running number for prefix and patches
            both = sincos_1d(self.positioned + grid[0] * grid[1], self.emb_size).to(like)
            own, patches = both[: self.positioned], both[self.positioned :]
        else:
            own, patches = like.new_zeros(0, self.emb_size), sincos_2d(grid, self.emb_size).to(like)
        return torch.cat([own, like.new_zeros(self.prefix - len(own), self.emb_size), patches])

    def forward(self, pixels: Tensor) -> Tensor:
        grid = self.grid_of(pixels)
        x = self.project(pixels)  # [B patches D]
        x = torch.cat([self.prefix_tokens(len(x)), x], dim=1)  # [B prefix+patches D]
        return x + self.positions_for(grid)


class MultiHeadSelfAttention(nn.Module):
    """Every token asks every token of the same image (appendix A, equations 5 to 8). [B N D] to [B N D]."""

    def __init__(self, width: int, heads: int, *, bias: bool = True) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"The width {width} cannot be shared by {heads} heads: it must divide evenly.")
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=bias)
        self.proj = nn.Linear(width, width)

    def queries_keys_values(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values, each [B h N d]."""
        B, N, D = x.shape
        qkv = self.qkv(x).reshape(B, N, 3, self.heads, D // self.heads)  # [B N 3 h d]
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)  # each [B h N d]
        return q, k, v

    def scores(self, q: Tensor, k: Tensor, out: Tensor | None = None) -> Tensor:
        """Scaled dot products before the softmax: [B h query key]."""
        return torch.matmul(q * q.shape[-1] ** -0.5, k.transpose(-2, -1), out=out)

    def join(self, x: Tensor) -> Tensor:
        """Put the heads' results [B h N d] side by side and project them: [B N D]."""
        return self.proj(x.transpose(1, 2).flatten(2))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.queries_keys_values(x)
        return self.join(F.scaled_dot_product_attention(q, k, v))

    def trace(self, x: Tensor, out: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The same result, and the attention [B h query key] (rows sum to 1) behind it; written to `out` if given."""
        q, k, v = self.queries_keys_values(x)
        attention = torch.softmax(self.scores(q, k, out), dim=-1, out=out)  # in its place, if it has one
        return self.join(attention @ v), attention


def quick_gelu(x: Tensor) -> Tensor:
    """CLIP's approximation of GELU: x * sigmoid(1.702 x)."""
    return x * torch.sigmoid(1.702 * x)


ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "gelu_tanh": partial(F.gelu, approximate="tanh"),
    "quick_gelu": quick_gelu,
    "relu": F.relu,
}


class MLP(nn.Module):
    """Two linear maps with a nonlinearity between, on each token alone (section 3.1). [B N D] to [B N D]."""

    def __init__(self, width: int, hidden: int, activation: Activation = "gelu") -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)
        self.activation: Activation = activation

    def hidden(self, x: Tensor) -> Tensor:
        return ACTIVATIONS[self.activation](self.fc1(x))  # [B N hidden]

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.hidden(x))


class SwiGLU(nn.Module):
    """Gated MLP of DINOv2's largest model (Shazeer 2020, arXiv 2002.05202). [B N D] to [B N D]."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 2 * hidden)  # gate, then value
        self.fc2 = nn.Linear(hidden, width)

    def hidden(self, x: Tensor) -> Tensor:
        gate, value = self.fc1(x).chunk(2, dim=-1)
        return F.silu(gate) * value  # [B N hidden]

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.hidden(x))


class ResidualConnection(nn.Module):
    """x + dropout(scale * sublayer(norm(x))): pre-norm, so the sublayer sees normalised tokens (equations 2 and 3).

    `layer_scale`, if given, starts a learned factor per number of a token (LayerScale, arXiv 2103.17239).
    """

    def __init__(
        self, d_model: int, dropout: float = 0.1, *, layer_scale: float | None = None, norm_eps: float = 1e-6
    ) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(d_model, eps=norm_eps)
        self.dropout = nn.Dropout(dropout)
        self.scale = nn.Parameter(torch.full((d_model,), layer_scale)) if layer_scale is not None else None

    def add(self, x: Tensor, update: Tensor) -> Tensor:
        """Add what the sublayer computed to the stream that went around it. Both [B N D]."""
        return x + self.dropout(update if self.scale is None else update * self.scale)

    def forward(self, x: Tensor, sublayer: Callable[[Tensor], Tensor]) -> Tensor:
        return self.add(x, sublayer(self.norm(x)))


class TransformerEncoderBlock(nn.Module):
    """Attention between tokens, then an MLP on each token, each with its residual (figure 1, right). [B N D]."""

    def __init__(
        self,
        d_model: int = 768,
        nhead: int = 12,
        num_hidden_dim: int = 3072,
        dropout: float = 0.1,
        *,
        activation: Activation = "gelu",
        swiglu: bool = False,
        qkv_bias: bool = True,
        layer_scale: float | None = None,
        norm_eps: float = 1e-6,
    ) -> None:
        super().__init__()
        self.self_attn = MultiHeadSelfAttention(d_model, nhead, bias=qkv_bias)
        self.feed_forward = SwiGLU(d_model, num_hidden_dim) if swiglu else MLP(d_model, num_hidden_dim, activation)
        self.residual1 = ResidualConnection(d_model, dropout, layer_scale=layer_scale, norm_eps=norm_eps)
        self.residual2 = ResidualConnection(d_model, dropout, layer_scale=layer_scale, norm_eps=norm_eps)

    def forward(self, x: Tensor) -> Tensor:
        x = self.residual1(x, self.self_attn)
        return self.residual2(x, self.feed_forward)

    def trace(self, x: Tensor, out: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The same result, and the attention [B h query key] behind it; written to `out` if given."""
        update, attention = self.self_attn.trace(self.residual1.norm(x), out)
        x = self.residual1.add(x, update)
        return self.residual2(x, self.feed_forward), attention


class ClassificationHead(nn.Module):
    """LayerNorm and one linear map: tokens [... D] to logits [... classes] (section 3.1, equation 4)."""

    def __init__(
        self,
        emb_size: int = 768,
        n_classes: int = 1000,
        *,
        norm: bool = True,
        inputs: int = 1,
        distilled: bool = False,
        norm_eps: float = 1e-6,
    ) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(emb_size, eps=norm_eps) if norm else nn.Identity()
        self.linear = nn.Linear(inputs * emb_size, n_classes) if n_classes else None
        self.dist_linear = nn.Linear(inputs * emb_size, n_classes) if n_classes and distilled else None

    def classify(self, x: Tensor, distilled: Tensor | None = None) -> Tensor:
        """Logits of normalised tokens; with two heads their mean, the second reading `distilled` (else the same)."""
        if self.linear is None:
            raise ValueError("This model has no classification head: it gives attention and tokens, not classes.")
        if self.dist_linear is None:
            return self.linear(x)
        return (self.linear(x) + self.dist_linear(x if distilled is None else distilled)) / 2

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(self.norm(x))


@dataclass(frozen=True, eq=False)
class ViTOutput:
    """What one forward pass computed. Layer 0 is the first block."""

    logits: Tensor | None  # [B classes]; None for a model without a head
    attentions: tuple[Tensor, ...]  # depth tensors [B head query key], after softmax: rows sum to 1
    tokens: tuple[Tensor, ...]  # depth + 1 tensors [B token width]: the embeddings, then each block's output
    grid: tuple[int, int]  # rows and columns of patches
    prefix: int  # tokens in front of the patches


class ViT(nn.Module):
    """Patch embedding, encoder blocks and classification head (figure 1). `ViT()` is ViT-B/16 at 224."""

    def __init__(self, config: ViTConfig = ViTConfig()) -> None:
        super().__init__()
        c = self.config = config
        self.patch_embedding = PatchEmbedding(
            c.channels,
            c.patch_size,
            c.width,
            c.size,
            class_token=c.class_token,
            distillation_token=c.distillation_token,
            registers=c.registers,
            positions=c.positions,
            position_prefix=c.positioned,
            interpolation=c.interpolation,
            bias=c.patch_bias,
        )
        self.norm = nn.LayerNorm(c.width, eps=c.norm_eps) if c.norm_before_blocks else nn.Identity()
        self.encoder_blocks = nn.ModuleList(
            TransformerEncoderBlock(
                c.width,
                c.heads,
                c.hidden,
                c.dropout,
                activation=c.activation,
                swiglu=c.mlp == "swiglu",
                qkv_bias=c.qkv_bias,
                layer_scale=c.layer_scale,
                norm_eps=c.norm_eps,
            )
            for _ in range(c.depth)
        )
        self.classification_head = ClassificationHead(
            c.width,
            c.classes,
            norm=c.head_norm != "none",
            inputs=2 if c.readout == "class_mean" else 1,
            distilled=c.readout == "class_distillation",
            norm_eps=c.norm_eps,
        )
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    @property
    def blocks(self) -> list[TransformerEncoderBlock]:
        """The encoder blocks, first to last."""
        return cast(list[TransformerEncoderBlock], list(self.encoder_blocks))

    def embed(self, pixels: Tensor) -> Tensor:
        """The tokens that enter the first block: [B C H W] to [B N D]."""
        return self.norm(self.patch_embedding(pixels))

    def read_out(self, tokens: Tensor) -> Tensor:
        """Logits [B classes] from the tokens [B N D] of any layer. Raises ValueError without a head."""
        head, c = self.classification_head, self.config
        if c.readout == "class":
            return head(tokens[:, 0])
        if c.readout == "mean" and c.head_norm == "pooled":
            return head(tokens[:, c.prefix :].mean(dim=1))
        x = head.norm(tokens)  # [B N D]
        if c.readout == "mean":
            return head.classify(x[:, c.prefix :].mean(dim=1))
        if c.readout == "class_mean":
            return head.classify(torch.cat([x[:, 0], x[:, c.prefix :].mean(dim=1)], dim=-1))
        return head.classify(x[:, 0], x[:, 1])

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits [B classes] of images [B C H W]; H and W are multiples of the patch size. Keeps nothing.

        Raises ValueError for pixels of another shape, and for a model without a head.
        """
        x = self.embed(pixels)
        for block in self.encoder_blocks:
            x = block(x)
        return self.read_out(x)

    def trace(self, pixels: Tensor) -> ViTOutput:
        """Everything that `forward` computes on the way: logits, attentions, tokens. Same input, same logits.

        The attentions stay in the autograd graph, also with frozen parameters, so
        `torch.autograd.grad(logit, output.attentions)` gives their gradients in the same order.
        """
        x = self.embed(pixels)
        if torch.is_grad_enabled() and not x.requires_grad:
            x = x.detach().requires_grad_()  # a leaf of this call alone: the attentions need a graph
        tokens, attentions = [x], []
        for block, room in zip(self.blocks, self._rooms(x), strict=True):
            x, attention = block.trace(x, room)
            tokens.append(x)
            attentions.append(attention)
        logits = self.read_out(x) if self.config.classes else None
        grid = self.patch_embedding.grid_of(pixels)
        return ViTOutput(logits, tuple(attentions), tuple(tokens), grid, self.config.prefix)

    def _rooms(self, x: Tensor) -> Sequence[Tensor | None]:
        """Where each block writes its attention [B h N N] to, for tokens [B N D]; None: wherever it likes.

        Without gradients all maps share one block of memory: on a CPU, fetching it from the system map by map takes
        up to a tenth of a small model's pass. Autocast chooses the type of the maps itself.
        """
        if torch.is_grad_enabled() or torch.is_autocast_enabled(x.device.type):
            return [None] * self.config.depth
        B, N, _ = x.shape
        return x.new_empty(self.config.depth, B, self.config.heads, N, N).unbind()

    def layer_logits(self, output: ViTOutput, tokens: str = "pooled") -> Tensor:
        """The head applied to every layer's tokens, in the manner of the logit lens.

        "pooled" reads the tokens that the head reads: [depth B classes], the last equal to `output.logits`.
        "all" sends every single token through the head, as the annotated text does: [depth B tokens classes].
        Raises ValueError without a head, for "all" when the head reads two tokens at once, and for another word.
        Layers before the last are a probe: the head was never trained on them.
        """
        if tokens == "pooled":
            return torch.stack([self.read_out(x) for x in output.tokens[1:]])
        if tokens != "all":
            raise ValueError(f'tokens must be "pooled" or "all", not {tokens!r}.')
        if self.config.readout == "class_mean":
            raise ValueError(
                "This head reads the class token and the patches' mean together: single tokens have no logits."
            )
        return torch.stack([self.classification_head(x) for x in output.tokens[1:]])
