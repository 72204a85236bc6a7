"""Small models for the tests of vit: every option of the config, every parameter drawn at random."""

import dataclasses

import torch
from torch import Tensor

from vit.config import ViTConfig
from vit.model import ViT

TINY = ViTConfig(image_size=32, patch_size=8, width=48, depth=3, heads=3, hidden=96, classes=7)

OPTIONS = {
    "plain": {},
    "not square": {"image_size": (24, 40)},
    "grey": {"channels": 1},
    "distillation token": {"distillation_token": True},
    "two heads": {"distillation_token": True, "readout": "class_distillation"},
    "registers": {"registers": 4},
    "registers with positions": {"registers": 4, "position_prefix": 5},
    "positions on patches only": {"registers": 2, "position_prefix": 0},
    "mean of normalised tokens": {"readout": "mean", "head_norm": "tokens"},
    "normalised mean": {"readout": "mean", "head_norm": "pooled"},
    "mean without norm": {"readout": "mean", "head_norm": "none"},
    "no class token": {"class_token": False, "readout": "mean"},
    "no prefix position": {"class_token": False, "readout": "mean", "head_norm": "pooled", "registers": 3},
    "class and mean": {"readout": "class_mean", "registers": 2},
    "class and mean without norm": {"readout": "class_mean", "head_norm": "none"},
    "class token, norm after picking it": {"readout": "class", "head_norm": "pooled"},
    "layer scale": {"layer_scale": 0.1},
    "norm before blocks": {"norm_before_blocks": True},
    "gelu_tanh": {"activation": "gelu_tanh"},
    "quick_gelu": {"activation": "quick_gelu"},
    "relu": {"activation": "relu"},
    "swiglu": {"mlp": "swiglu"},
    "sincos_1d": {"positions": "sincos_1d"},
    "sincos_2d": {"positions": "sincos_2d"},
    "no biases": {"qkv_bias": False, "patch_bias": False},
    "another epsilon": {"norm_eps": 1e-2},
}


def tiny(**options) -> ViT:
    """A small model in evaluation mode, every parameter drawn at random, so that none hides behind a 0 or a 1."""
    model = ViT(dataclasses.replace(TINY, **options)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.3)
    return model


def pixels_for(model: ViT, batch: int = 2) -> Tensor:
    return torch.randn(batch, model.config.channels, *model.config.size)


def logits_of(model: ViT, pixels: Tensor) -> Tensor:
    logits = model.trace(pixels).logits
    assert logits is not None
    return logits
