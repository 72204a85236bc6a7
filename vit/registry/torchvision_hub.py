"""Checkpoints of torchvision. Facts are from the settings that torchvision gives them."""

from vit.preprocess import Preprocess
from vit.registry.checkpoint import BASE, IMAGENET_100, LARGE, TORCHVISION_242, TORCHVISION_256, Checkpoint

_TABLE = "https://docs.pytorch.org/vision/stable/models.html"


def _torchvision(
    builder: str,
    weights: str,
    file: str,
    title: str,
    shape: tuple[int, int, int],
    patch: int,
    parameters: int,
    preprocess: Preprocess,
    top1: float,
    *,
    licence: str = "BSD-3-Clause",
) -> Checkpoint:
    """A checkpoint of torchvision, named "torchvision/<builder>" (with the weights' name for all but the first)."""
    width, depth, heads = shape
    return Checkpoint(
        name=f"torchvision/{builder}" + ("" if weights == "IMAGENET1K_V1" else f".{weights}"),
        title=title,
        source="torchvision",
        repo=f"{builder}/{weights}",
        file=file,
        licence=licence,
        url=f"https://docs.pytorch.org/vision/stable/models/generated/torchvision.models.{builder}.html",
        parameters=parameters,
        classes=1000,
        preprocess=preprocess,
        patch=patch,
        width=width,
        depth=depth,
        heads=heads,
        norm_eps=1e-6,
        activation="gelu",
        interpolation="corners",
        top1=top1,
        top1_page=_TABLE,
    )


# fmt: off
TORCHVISION = (
    _torchvision("vit_b_16", "IMAGENET1K_V1", "vit_b_16-c867db91.pth", "torchvision ViT-B/16", BASE, 16, 86_567_656,
        TORCHVISION_256, 0.81072),
    _torchvision("vit_b_32", "IMAGENET1K_V1", "vit_b_32-d86f8d99.pth", "torchvision ViT-B/32", BASE, 32, 88_224_232,
        TORCHVISION_256, 0.75912),
    _torchvision("vit_l_16", "IMAGENET1K_V1", "vit_l_16-852ce7e3.pth", "torchvision ViT-L/16", LARGE, 16, 304_326_632,
        TORCHVISION_242, 0.79662),
    _torchvision("vit_b_16", "IMAGENET1K_SWAG_LINEAR_V1", "vit_b_16_lc_swag-4e70ced5.pth", "SWAG ViT-B/16, linear head",
        BASE, 16, 86_567_656, IMAGENET_100, 0.81886, licence="CC-BY-NC-4.0"),
)
