"""Image files as people bring them, turned into plain RGB pictures; whatever fails becomes one sentence."""

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

MAX_PIXELS = 40_000_000
MAX_BYTES = 10_000_000
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")

_UNREADABLE = "This file is not an image that can be read. JPEG, PNG, WebP, GIF, BMP and TIFF can."
_DAMAGED = "This image file is damaged: it cannot be read to its end."


class ImageError(ValueError):
    """An image that cannot be used; its text is a sentence for the person who brought it."""


def open_image(source: str | Path | bytes) -> Image.Image:
    """Read an image file (a path, or the file's bytes) as RGB, by the rules of `to_rgb`.

    Raises ImageError for a file that is missing, larger than 10 MB, not an image, damaged, or of more than 40
    megapixels. The size is read from the file's header, so an oversized picture is refused before it is decoded.
    """
    try:
        size = len(source) if isinstance(source, bytes) else Path(source).stat().st_size
        if size > MAX_BYTES:
            raise ImageError(
                f"This file has {size / 1e6:.1f} MB; at most {MAX_BYTES // 1_000_000} MB can be opened. "
                "Save the picture smaller and try again."
            )
        data = source if isinstance(source, bytes) else Path(source).read_bytes()
    except OSError as error:
        raise ImageError(f"The file {Path(str(source)).name!r} cannot be opened.") from error
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(_too_large()) from error
    except UnidentifiedImageError as error:
        raise ImageError(_UNREADABLE) from error
    except Exception as error:  # Pillow's readers raise many kinds for a broken header
        raise ImageError(_DAMAGED) from error
    with image:
        return to_rgb(image)


def to_rgb(image: Image.Image) -> Image.Image:
    """A picture in any of Pillow's modes as a new 8-bit RGB picture, turned the way its EXIF data says.

    16-bit and floating-point values are scaled to 8 bits instead of clipped, transparent parts lie on white, and an
    animation gives its first frame. Raises ImageError for more than 40 megapixels, damaged data, and colour modes
    that have no RGB form.
    """
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise ImageError(_too_large(width, height))
    if width < 1 or height < 1:
        raise ImageError("This image has no pixels.")
    try:
        if getattr(image, "n_frames", 1) > 1:
            image.seek(0)
        image.load()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(_too_large()) from error
    except Exception as error:  # as above: the kind depends on the format
        raise ImageError(_DAMAGED) from error
    try:
        upright = ImageOps.exif_transpose(image)
    except Exception:  # unreadable EXIF data says nothing about the pixels
        upright = image
    try:
        return _eight_bit_rgb(upright)
    except ValueError as error:
        raise ImageError(f"Images in the colour mode {upright.mode} cannot be shown; save it as RGB.") from error


def _eight_bit_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        image = _scaled(image)
    elif image.mode == "La":  # Pillow turns it into RGB only by way of LA
        return _eight_bit_rgb(image.convert("LA"))
    elif image.has_transparency_data:
        colours = image.convert("RGBA")
        white = Image.new("RGBA", colours.size, "white")
        image = Image.alpha_composite(white, colours)
    return Image.frombytes("RGB", image.size, image.convert("RGB").tobytes())  # without the file's own metadata


def _scaled(image: Image.Image) -> Image.Image:
    """One channel of 16 or 32 bits, or of floating-point numbers, on the scale 0 to 255.

    The largest value decides what white is: 1 for floating-point numbers up to 1; else 255, else 65535, else itself.
    """
    values = np.nan_to_num(np.asarray(image, dtype=np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    top = float(values.max())
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG"):
        white = 65535.0
    elif image.mode == "F" and top <= 1:
        white = 1.0
    else:
        white = next((limit for limit in (255.0, 65535.0) if top <= limit), top)
    return Image.fromarray((values.clip(0) * (255 / white)).round().astype(np.uint8))


def _too_large(width: int | None = None, height: int | None = None) -> str:
    size = f" of {width} × {height} pixels" if width and height else ""
    return (
        f"This image{size} is too large: at most {MAX_PIXELS // 1_000_000} megapixels can be opened. "
        "Save it smaller and try again."
    )
