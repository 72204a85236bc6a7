"""What is known of a checkpoint besides its tensors, and the shapes and preprocessings that recur."""

from dataclasses import dataclass
from typing import Literal

from vit.config import Activation, Interpolation
from vit.preprocess import HALF, IMAGENET_MEAN, IMAGENET_STD, Preprocess

Source = Literal["embedded", "timm", "transformers", "torchvision", "file"]


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


CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)

# width, depth, heads of the usual sizes
TINY, SMALL, MEDIUM, BASE, LARGE = (192, 12, 3), (384, 12, 6), (512, 12, 8), (768, 12, 12), (1024, 24, 16)

IMAGENET_90 = Preprocess(224, 0.9, "bicubic", IMAGENET_MEAN, IMAGENET_STD)
IMAGENET_100 = Preprocess(224, 1.0, "bicubic", IMAGENET_MEAN, IMAGENET_STD)
IMAGENET_384 = Preprocess(384, 1.0, "bicubic", IMAGENET_MEAN, IMAGENET_STD)
IMAGENET_518 = Preprocess(518, 1.0, "bicubic", IMAGENET_MEAN, IMAGENET_STD)
HALF_90 = Preprocess(224, 0.9, "bicubic", HALF, HALF)
HALF_256 = Preprocess(256, 0.95, "bicubic", HALF, HALF)
HALF_384 = Preprocess(384, 1.0, "bicubic", HALF, HALF)
CLIP_90 = Preprocess(224, 0.9, "bicubic", CLIP_MEAN, CLIP_STD)
CLIP_100 = Preprocess(224, 1.0, "bicubic", CLIP_MEAN, CLIP_STD)
SQUASHED_HALF = Preprocess(224, 1.0, "bilinear", HALF, HALF, "squash")
SQUASHED_IMAGENET = Preprocess(224, 1.0, "bilinear", IMAGENET_MEAN, IMAGENET_STD, "squash")
SQUASHED_BICUBIC = Preprocess(224, 1.0, "bicubic", IMAGENET_MEAN, IMAGENET_STD, "squash")
SHORT_256 = Preprocess(224, 224 / 256, "bicubic", IMAGENET_MEAN, IMAGENET_STD)
TORCHVISION_256 = Preprocess(224, 224 / 256, "bilinear", IMAGENET_MEAN, IMAGENET_STD)
TORCHVISION_242 = Preprocess(224, 224 / 242, "bilinear", IMAGENET_MEAN, IMAGENET_STD)
