from vit.checkpoints import Pretrained, available, checkpoint, is_local, load
from vit.config import ViTConfig
from vit.convert import from_state_dict
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
from vit.preprocess import Prepared, Preprocess
from vit.registry import Checkpoint
from vit.summary import summary

__all__ = [
    "MLP",
    "Checkpoint",
    "ClassificationHead",
    "MultiHeadSelfAttention",
    "PatchEmbedding",
    "Prepared",
    "Preprocess",
    "Pretrained",
    "ResidualConnection",
    "SwiGLU",
    "TransformerEncoderBlock",
    "ViT",
    "ViTConfig",
    "ViTOutput",
    "available",
    "checkpoint",
    "from_state_dict",
    "is_local",
    "load",
    "patchify",
    "summary",
]
