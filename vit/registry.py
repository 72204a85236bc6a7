"""The named checkpoints: what each one is, where it comes from, and how its photos are prepared."""

from dataclasses import dataclass
from typing import Literal

from vit.config import Activation, Interpolation
from vit.preprocess import HALF, IMAGENET_MEAN, IMAGENET_STD, Preprocess

Source = Literal["embedded", "timm", "transformers", "torchvision", "file"]

EMBEDDED = "embedded_small_patch14_224"

CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class Checkpoint:
    """A set of trained weights and everything about it that is not a tensor."""

    name: str
    title: str  # for people
    source: Source
    repo: str  # hub id, torchvision's "builder/weights", or the path of a file or folder
    licence: str
    url: str  # the page that describes it; "" for a file of one's own
    parameters: int
    classes: int  # 0: no head, attention only
    preprocess: Preprocess
    patch: int
    width: int
    depth: int
    heads: int
    prefix: int = 1  # tokens in front of the patches
    norm_eps: float | None = None  # None, here and below: the converter's default for this source
    activation: Activation | None = None
    interpolation: Interpolation | None = None
    top1: float | None = None  # published ImageNet accuracy, a share of 1
    top1_page: str = ""  # where that number was read
    bytes_per_number: int = 4  # in the file
    file: str = ""  # torchvision's file of weights; its name ends in the start of its SHA-256
    assumed: tuple[str, ...] = ()  # sentences: what nobody said and was taken for granted

    @property
    def image_size(self) -> int | tuple[int, int]:
        """Side in pixels of what the model receives, unless one asks for another size."""
        return self.preprocess.size

    @property
    def bytes(self) -> int:
        """About how much is to be downloaded, or lies on disk."""
        return self.parameters * self.bytes_per_number


_TIMM_RESULTS = "https://github.com/huggingface/pytorch-image-models/blob/main/results/results-imagenet.csv"
_TORCHVISION_TABLE = "https://docs.pytorch.org/vision/stable/models.html"

# width, depth, heads of the usual sizes
_TINY, _SMALL, _MEDIUM, _BASE, _LARGE = (192, 12, 3), (384, 12, 6), (512, 12, 8), (768, 12, 12), (1024, 24, 16)

_IMAGENET_90 = Preprocess(224, 0.9, "bicubic", IMAGENET_MEAN, IMAGENET_STD)
_IMAGENET_100 = Preprocess(224, 1.0, "bicubic", IMAGENET_MEAN, IMAGENET_STD)
_HALF_90 = Preprocess(224, 0.9, "bicubic", HALF, HALF)
_CLIP_90 = Preprocess(224, 0.9, "bicubic", CLIP_MEAN, CLIP_STD)


def _timm(
    name: str,
    tag: str,
    title: str,
    shape: tuple[int, int, int],
    patch: int,
    parameters: int,
    preprocess: Preprocess,
    *,
    classes: int = 1000,
    licence: str = "Apache-2.0",
    norm_eps: float = 1e-6,
    prefix: int = 1,
    top1: float | None = None,
) -> Checkpoint:
    """A checkpoint of timm; `name` is timm's, with the tag where timm's own default is another one."""
    repo = f"timm/{name.split('.')[0]}.{tag}"
    width, depth, heads = shape
    return Checkpoint(
        name=name,
        title=title,
        source="timm",
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
        interpolation="antialias",
        top1=top1,
        top1_page=_TIMM_RESULTS if top1 is not None else "",
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
        top1_page=_TORCHVISION_TABLE,
    )


_ENTRIES = (
    Checkpoint(
        name=EMBEDDED,
        title="Embedded small ViT",
        source="embedded",
        repo="assets/embedded",
        licence="Apache-2.0",
        url="",
        parameters=22_013_800,
        classes=1000,
        preprocess=_IMAGENET_100,
        patch=14,
        width=384,
        depth=12,
        heads=6,
        norm_eps=1e-6,
        activation="gelu",
        interpolation="antialias",
        bytes_per_number=2,
    ),
)

REGISTRY: dict[str, Checkpoint] = {entry.name: entry for entry in _ENTRIES}
