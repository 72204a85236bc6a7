"""The architecture of one Vision Transformer, as plain data."""

from dataclasses import dataclass
from typing import Literal, get_args

Activation = Literal["gelu", "gelu_tanh", "quick_gelu", "relu"]
Mlp = Literal["mlp", "swiglu"]
Positions = Literal["learned", "sincos_2d", "sincos_1d"]
Interpolation = Literal["antialias", "bicubic", "offset", "corners", "linear"]
Readout = Literal["class", "class_distillation", "mean", "class_mean"]
HeadNorm = Literal["tokens", "pooled", "none"]


@dataclass(frozen=True)
class ViTConfig:
    """Everything that decides the shapes and the arithmetic of a `ViT`; the defaults are ViT-B/16 at 224.

    Sizes are in pixels, widths in numbers per token. Raises ValueError when the parts do not fit together.
    Source of the defaults: Dosovitskiy et al. 2021 (arXiv 2010.11929), table 1, row "ViT-Base".
    """

    image_size: int | tuple[int, int] = 224  # (height, width) that the positions were trained at
    patch_size: int = 16
    channels: int = 3
    width: int = 768
    depth: int = 12
    heads: int = 12
    hidden: int = 3072  # width inside the MLP (after the gate, for SwiGLU)
    classes: int = 1000  # 0: no head
    dropout: float = 0.0  # after each sublayer, in training only

    # Which tokens stand in front of the patches, and which token or tokens the head reads.
    class_token: bool = True
    distillation_token: bool = False  # DeiT, arXiv 2012.12877
    registers: int = 0  # Darcet et al. 2024, arXiv 2309.16588
    readout: Readout = "class"  # "class_distillation": two heads, averaged; "class_mean": both, concatenated
    head_norm: HeadNorm = "tokens"  # the final LayerNorm: on the tokens, on their mean, or none

    # Positions.
    positions: Positions = "learned"
    position_prefix: int | None = None  # how many prefix tokens have a position; None: class and distillation token
    interpolation: Interpolation = "antialias"  # how learned positions are resized to another grid

    # Variants of the block.
    activation: Activation = "gelu"
    mlp: Mlp = "mlp"
    qkv_bias: bool = True
    patch_bias: bool = True
    layer_scale: float | None = None  # starting value; CaiT, arXiv 2103.17239
    norm_before_blocks: bool = False  # CLIP's pre-LayerNorm
    norm_eps: float = 1e-6

    def __post_init__(self) -> None:
        for name in ("patch_size", "channels", "width", "depth", "heads", "hidden"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}.")
        if self.classes < 0 or self.registers < 0:
            raise ValueError("classes and registers cannot be negative.")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must lie in [0, 1), not {self.dropout}.")
        if self.width % self.heads:
            raise ValueError(f"The width {self.width} cannot be shared by {self.heads} heads: it must divide evenly.")
        for side in self.size:
            if side < self.patch_size or side % self.patch_size:
                raise ValueError(f"The image size {side} is not a multiple of the patch size {self.patch_size}.")
        for name, kind in _CHOICES.items():
            if getattr(self, name) not in get_args(kind):
                raise ValueError(f"{name} must be one of {', '.join(get_args(kind))}, not {getattr(self, name)!r}.")
        if self.readout.startswith("class") and not self.class_token:
            raise ValueError(f"readout={self.readout!r} needs a class token.")
        if self.readout == "class_distillation" and not self.distillation_token:
            raise ValueError("readout='class_distillation' needs a distillation token.")
        if self.readout == "class_mean" and self.head_norm == "pooled":
            raise ValueError("readout='class_mean' normalises the tokens, not their mean.")
        if self.position_prefix is not None and not 0 <= self.position_prefix <= self.prefix:
            raise ValueError(f"position_prefix must lie between 0 and the number of prefix tokens ({self.prefix}).")
        if self.positions == "sincos_2d" and self.width % 4:
            raise ValueError("Two-dimensional sine-cosine positions need a width that is a multiple of 4.")
        if self.positions == "sincos_1d" and self.width % 2:
            raise ValueError("Sine-cosine positions need an even width.")

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the image in pixels."""
        return (self.image_size, self.image_size) if isinstance(self.image_size, int) else self.image_size

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches."""
        return self.size[0] // self.patch_size, self.size[1] // self.patch_size

    @property
    def prefix(self) -> int:
        """Number of tokens in front of the patches."""
        return int(self.class_token) + int(self.distillation_token) + self.registers

    @property
    def positioned(self) -> int:
        """Number of prefix tokens that carry a position: the first ones."""
        if self.position_prefix is not None:
            return self.position_prefix
        return int(self.class_token) + int(self.distillation_token)


_CHOICES = {
    "activation": Activation,
    "mlp": Mlp,
    "positions": Positions,
    "interpolation": Interpolation,
    "readout": Readout,
    "head_norm": HeadNorm,
}
