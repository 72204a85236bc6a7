"""Checkpoints in the layout of transformers on the Hugging Face hub. Facts are from their config files there."""

from vit.config import Interpolation
from vit.preprocess import Preprocess
from vit.registry.checkpoint import (
    BASE,
    SHORT_256,
    SMALL,
    SQUASHED_BICUBIC,
    SQUASHED_HALF,
    SQUASHED_IMAGENET,
    TINY,
    Checkpoint,
)


def _transformers(
    repo: str,
    title: str,
    shape: tuple[int, int, int],
    patch: int,
    parameters: int,
    preprocess: Preprocess,
    *,
    classes: int = 0,
    licence: str = "Apache-2.0",
    norm_eps: float = 1e-12,
    prefix: int = 1,
    interpolation: Interpolation = "bicubic",
) -> Checkpoint:
    """A checkpoint in transformers' layout; its name is its hub id."""
    width, depth, heads = shape
    return Checkpoint(
        name=repo,
        title=title,
        source="transformers",
        repo=repo,
        licence=licence,
        url=f"https://huggingface.co/{repo}",
        parameters=parameters,
        classes=classes,
        preprocess=preprocess,
        patch=patch,
        width=width,
        depth=depth,
        heads=heads,
        prefix=prefix,
        norm_eps=norm_eps,
        activation="gelu",
        interpolation=interpolation,
    )


# fmt: off
TRANSFORMERS = (
    _transformers("google/vit-base-patch16-224", "The original ViT-Base", BASE, 16, 86_567_656, SQUASHED_HALF,
        classes=1000),
    _transformers("google/vit-base-patch16-224-in21k", "The original ViT-Base, ImageNet-21k, without head", BASE, 16,
        85_798_656, SQUASHED_HALF),
    _transformers("facebook/deit-tiny-patch16-224", "DeiT-Tiny", TINY, 16, 5_717_416, SQUASHED_HALF, classes=1000),
    _transformers("facebook/deit-tiny-distilled-patch16-224", "DeiT-Tiny, distilled", TINY, 16, 5_910_800,
        SQUASHED_BICUBIC, classes=1000, prefix=2),
    _transformers("facebook/dino-vits16", "DINO ViT-Small", SMALL, 16, 21_665_664, SQUASHED_IMAGENET),
    _transformers("facebook/dino-vits8", "DINO ViT-Small, patch 8", SMALL, 8, 21_670_272, SQUASHED_IMAGENET),
    _transformers("facebook/dino-vitb16", "DINO ViT-Base", BASE, 16, 85_798_656, SQUASHED_IMAGENET),
    _transformers("facebook/dinov2-small", "DINOv2 ViT-Small", SMALL, 14, 22_056_192, SHORT_256, norm_eps=1e-06),
    _transformers("facebook/dinov2-base", "DINOv2 ViT-Base", BASE, 14, 86_579_712, SHORT_256, norm_eps=1e-06),
    _transformers("facebook/dinov2-with-registers-small", "DINOv2 ViT-Small, four registers", SMALL, 14, 22_057_728,
        SHORT_256, norm_eps=1e-06, prefix=5, interpolation="antialias"),
    _transformers("facebook/dinov2-small-imagenet1k-1-layer", "DINOv2 ViT-Small with a linear head", SMALL, 14,
        22_825_192, SHORT_256, classes=1000, norm_eps=1e-06),
    _transformers("facebook/dinov2-with-registers-small-imagenet1k-1-layer",
        "DINOv2 ViT-Small, four registers, with a linear head", SMALL, 14, 22_826_728, SHORT_256, classes=1000,
        norm_eps=1e-06, prefix=5, interpolation="antialias"),
    _transformers("facebook/vit-mae-base", "MAE ViT-Base", BASE, 16, 85_798_656, SQUASHED_IMAGENET),
)
