"""From a photo to the numbers that a checkpoint expects: size, crop, interpolation, mean and standard deviation."""

import math
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from vit.images import to_rgb

Resampling = Literal["nearest", "bilinear", "bicubic", "lanczos"]
Mode = Literal["crop", "squash"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5)

_FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
_LONGEST = 16  # sides longer than this many times the other are cut before resizing


@dataclass(frozen=True, eq=False)
class Prepared:
    """One photo, ready for the model."""

    pixels: Tensor  # [1 3 H W] float32, normalised
    image: Image.Image  # what the model saw, H × W pixels
    box: tuple[float, float, float, float]  # left, top, right, bottom of that crop in the original, in its pixels


@dataclass(frozen=True)
class Preprocess:
    """Resize, cut out the centre, normalise: what a checkpoint's training did to its photos before evaluation.

    `size` is the side of the square (or the height and width) that the model receives, in pixels; `crop` the share
    of the resized photo's short side that is kept, so the photo is first resized to size / crop. With the mode
    "crop" the shape of the photo is kept while resizing; with "squash" it is not: both sides become size / crop, as
    several of transformers' checkpoints do. `mean` and `std` are per channel (red, green, blue) on a scale of 0 to
    1. The arithmetic, including the rounding, is that of torchvision's Resize and CenterCrop on Pillow images.
    Raises ValueError for values that make no sense.
    """

    size: int | tuple[int, int] = 224
    crop: float = 1.0
    interpolation: Resampling = "bicubic"
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    mode: Mode = "crop"

    def __post_init__(self) -> None:
        if min(self.height_width) < 1:
            raise ValueError(f"The image size must be at least 1 pixel, not {self.size}.")
        if not 0 < self.crop <= 1:
            raise ValueError(f"The crop share must lie above 0 and at most at 1, not {self.crop}.")
        if self.interpolation not in _FILTERS:
            raise ValueError(f"interpolation must be one of {', '.join(_FILTERS)}, not {self.interpolation!r}.")
        if self.mode not in get_args(Mode):
            raise ValueError(f"mode must be one of {', '.join(get_args(Mode))}, not {self.mode!r}.")
        if len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0:
            raise ValueError("mean and std need three numbers each, and std must be positive.")

    @property
    def height_width(self) -> tuple[int, int]:
        """Height and width of what the model receives, in pixels."""
        return (self.size, self.size) if isinstance(self.size, int) else self.size

    def resized(self, image_size: int | tuple[int, int]) -> "Preprocess":
        """The same at another input size."""
        return replace(self, size=image_size)

    def __call__(self, image: Image.Image) -> Prepared:
        """Prepare a photo of any mode, shape and size from 1 × 1 pixels. Raises ImageError as `to_rgb` does.

        Of a photo whose one side is more than 16 times the other, only the middle is resized: the crop that the
        model sees lies inside it, and a strip of 1 × 5000 pixels would otherwise grow to 250 megapixels on the way.
        """
        image = to_rgb(image)
        image, left, top = _without_far_ends(image) if self.mode == "crop" else (image, 0, 0)
        height, width = self.height_width
        to_width, to_height = self._resized_size(*image.size)
        across, down = image.width / to_width, image.height / to_height  # original pixels per resized pixel
        image = image.resize((to_width, to_height), _FILTERS[self.interpolation])
        x, y = round((to_width - width) / 2), round((to_height - height) / 2)
        image = image.crop((x, y, x + width, y + height))
        box = left + x * across, top + y * down, left + (x + width) * across, top + (y + height) * down
        return Prepared(self.normalise(image), image, box)

    def normalise(self, image: Image.Image) -> Tensor:
        """An RGB picture as normalised numbers [1 3 H W], without resizing."""
        pixels = torch.from_numpy(np.array(image, dtype=np.uint8)).permute(2, 0, 1).float() / 255  # [3 H W]
        mean, std = torch.tensor(self.mean)[:, None, None], torch.tensor(self.std)[:, None, None]
        return ((pixels - mean) / std).unsqueeze(0).contiguous()

    def _resized_size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height after resizing an image of this size, before the centre is cut out."""
        # A share such as 224/242 must lead back to 242: division leaves it a hair below.
        to_height, to_width = (math.floor(side / self.crop + 1e-6) for side in self.height_width)
        if self.mode == "squash":
            return to_width, to_height
        if to_width == to_height:  # torchvision: the short side exactly, the long side rounded down
            short = min(width, height)
            return int(to_width * width / short), int(to_height * height / short)
        share = min(width / to_width, height / to_height)  # timm's rule for inputs that are not square
        return round(width / share), round(height / share)


def _without_far_ends(image: Image.Image) -> tuple[Image.Image, int, int]:
    """Cut the long side to 16 times the short one, keeping the centre where it was; and where the cut begins."""
    width, height = image.size
    long, short = max(width, height), min(width, height)
    keep = _LONGEST * short
    if long <= keep:
        return image, 0, 0
    keep += (long - keep) % 2  # an even rest: the same on both ends, so the centre does not move
    start = (long - keep) // 2
    if width > height:
        return image.crop((start, 0, start + keep, height)), start, 0
    return image.crop((0, start, width, start + keep)), 0, start
