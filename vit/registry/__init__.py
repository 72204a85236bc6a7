"""The named checkpoints: what each one is, where it comes from, and how its photos are prepared."""

from vit.registry.checkpoint import IMAGENET_100, SMALL, Checkpoint, Source
from vit.registry.timm_hub import TIMM
from vit.registry.torchvision_hub import TORCHVISION
from vit.registry.transformers_hub import TRANSFORMERS

EMBEDDED = Checkpoint(
    name="embedded_small_patch14_224",
    title="Embedded ViT-Small",
    source="embedded",
    repo="assets/embedded",
    licence="Apache-2.0",
    url="",
    parameters=22_013_800,
    classes=1000,
    preprocess=IMAGENET_100,
    patch=14,
    width=SMALL[0],
    depth=SMALL[1],
    heads=SMALL[2],
    norm_eps=1e-6,
    activation="gelu",
    interpolation="antialias",
    bytes_per_number=2,
)

REGISTRY: dict[str, Checkpoint] = {c.name: c for c in (EMBEDDED, *TIMM, *TRANSFORMERS, *TORCHVISION)}

__all__ = ["EMBEDDED", "REGISTRY", "Checkpoint", "Source"]
