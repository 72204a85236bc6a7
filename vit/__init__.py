from vit.config import ViTConfig
from vit.model import (
    MLP,
    ClassificationHead,
    MultiHeadSelfAttention,
    PatchEmbedding,
    ResidualConnection,
    SwiGLU,
    TransformerEncoderBlock,
    ViT,
    ViTOutput,
    patchify,
)

__all__ = [
    "MLP",
    "ClassificationHead",
    "MultiHeadSelfAttention",
    "PatchEmbedding",
    "ResidualConnection",
    "SwiGLU",
    "TransformerEncoderBlock",
    "ViT",
    "ViTConfig",
    "ViTOutput",
    "patchify",
]
