import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from vit.images import MAX_BYTES, ImageError, open_image, to_rgb

RED, GREEN, WHITE = (255, 0, 0), (0, 255, 0), (255, 255, 255)


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def halves(mode: str = "RGB") -> Image.Image:
    """4 × 2 pixels: left half red, right half green."""
    image = Image.new("RGB", (4, 2), RED)
    image.paste(GREEN, (2, 0, 4, 2))
    return image.convert(mode)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "GIF", "WEBP"])
def test_every_format_gives_the_same_pixels(kind):
    image = open_image(encoded(halves(), kind, **({"lossless": True} if kind == "WEBP" else {})))
    assert image.mode == "RGB"
    assert image.size == (4, 2)
    assert image.getpixel((0, 0)) == RED
    assert image.getpixel((3, 1)) == GREEN


def test_a_path_is_read_like_bytes(tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(encoded(Image.new("RGB", (20, 10), (10, 120, 200)), "JPEG"))
    for source in (path, str(path), path.read_bytes()):
        assert np.abs(np.asarray(open_image(source), dtype=int) - (10, 120, 200)).max() <= 3


# What each EXIF orientation does to a picture whose left half is red and right half green: where red ends up.
@pytest.mark.parametrize(
    ("orientation", "size", "red"),
    [
        (1, (4, 2), (0, 0)),
        (2, (4, 2), (3, 0)),  # mirrored
        (3, (4, 2), (3, 1)),  # upside down
        (6, (2, 4), (0, 0)),  # quarter turn clockwise: the left edge becomes the top
        (8, (2, 4), (0, 3)),  # quarter turn counter-clockwise: the left edge becomes the bottom
    ],
)
def test_exif_rotation_is_applied_and_removed(orientation, size, red):
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = open_image(encoded(halves(), "PNG", exif=exif))
    assert image.size == size
    assert image.getpixel(red) == RED
    assert 0x0112 not in image.getexif()


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_is_scaled_and_not_clipped(kind):
    ramp = np.linspace(0, 65535, 256).round().astype(np.uint16)[None].repeat(4, axis=0)
    pixels = np.asarray(open_image(encoded(Image.fromarray(ramp), kind)))
    assert pixels.mean() == pytest.approx(127.5, abs=0.5)
    assert (pixels[0, :, 0] == np.arange(256)).all()


def test_floating_point_and_32_bit_values_are_scaled():
    shares = Image.fromarray(np.array([[0.0, 0.5, 1.0]], dtype=np.float32))
    assert [to_rgb(shares).getpixel((x, 0))[0] for x in range(3)] == [0, 128, 255]  # type: ignore[index]
    large = Image.fromarray(np.array([[0, 500_000, 1_000_000]], dtype=np.int32))
    assert [to_rgb(large).getpixel((x, 0))[0] for x in range(3)] == [0, 128, 255]  # type: ignore[index]
    broken = Image.fromarray(np.array([[np.nan, np.inf, 200.0]], dtype=np.float32))
    assert [to_rgb(broken).getpixel((x, 0))[0] for x in range(3)] == [0, 0, 200]  # type: ignore[index]


def test_cmyk_keeps_its_colours():
    cyan = Image.new("CMYK", (8, 8), (255, 0, 0, 0))
    red, green, blue = open_image(encoded(cyan, "JPEG")).getpixel((4, 4))  # type: ignore[misc]
    assert red < 30
    assert green > 200
    assert blue > 200


def test_transparency_shows_white_and_not_hidden_colours():
    hidden = Image.new("RGBA", (2, 1), (255, 0, 0, 0))
    hidden.putpixel((1, 0), (255, 0, 0, 128))
    image = open_image(encoded(hidden, "PNG"))
    assert image.getpixel((0, 0)) == WHITE
    assert image.getpixel((1, 0)) == (255, 127, 127)
    grey = Image.new("LA", (2, 1), (0, 0))
    grey.putpixel((1, 0), (0, 255))
    assert [open_image(encoded(grey, "PNG")).getpixel((x, 0)) for x in (0, 1)] == [WHITE, (0, 0, 0)]


def test_palette_with_transparency():
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 255, 0])
    image.putpixel((1, 0), 1)
    opened = open_image(encoded(image, "PNG", transparency=0))
    assert [opened.getpixel((x, 0)) for x in (0, 1)] == [WHITE, GREEN]


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_animation_gives_its_first_frame(kind):
    first, second = Image.new("RGB", (8, 8), RED), Image.new("RGB", (8, 8), GREEN)
    data = encoded(first, kind, save_all=True, append_images=[second], duration=100)
    red, green, _ = open_image(data).getpixel((4, 4))  # type: ignore[misc]
    assert red > 240
    assert green < 15


def test_an_animation_that_was_moved_on_gives_its_first_frame():
    data = encoded(Image.new("RGB", (8, 8), RED), "GIF", save_all=True, append_images=[Image.new("RGB", (8, 8), GREEN)])
    moving = Image.open(io.BytesIO(data))
    moving.seek(1)
    assert to_rgb(moving).getpixel((4, 4)) == RED


@pytest.mark.parametrize("mode", ["1", "L", "P", "PA", "HSV", "YCbCr", "RGBX", "RGBa", "La", "CMYK", "RGBA", "LA"])
def test_every_mode_becomes_rgb_and_the_original_stays(mode):
    # Some modes can only be reached by way of another one.
    by_way_of = {"La": "LA", "RGBa": "RGBA", "PA": "P"}.get(mode, "RGB")
    image = Image.new("RGB", (3, 2), WHITE).convert(by_way_of).convert(mode)
    before = image.tobytes()
    rgb = to_rgb(image)
    assert (rgb.mode, rgb.size) == ("RGB", (3, 2))
    assert np.asarray(rgb).min() >= 250
    assert (image.mode, image.tobytes()) == (mode, before)


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1)])
def test_tiny_and_extreme_shapes_open(size):
    assert open_image(encoded(Image.new("RGB", size, RED), "PNG")).size == size


def large_png(width: int, height: int) -> bytes:
    """A PNG whose header claims this size but which contains almost no pixels: decoding it would fail."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 10)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + data


@pytest.mark.parametrize(("width", "height"), [(8200, 5000), (10_000, 10_000), (20_000, 20_000)])
@pytest.mark.parametrize("filters", ["error", "ignore"])
def test_too_many_pixels_are_refused_from_the_header(width, height, filters):
    """41, 100 and 400 megapixels: below Pillow's own warning, between warning and error, and above its error."""
    with warnings.catch_warnings():
        warnings.simplefilter(filters)
        with pytest.raises(ImageError, match="at most 40 megapixels"):
            open_image(large_png(width, height))


def test_an_image_at_the_limit_is_decoded():
    """Just below 40 megapixels the same broken file is read, and fails only there."""
    with pytest.raises(ImageError, match="damaged"):
        open_image(large_png(8000, 4999))


def test_too_large_a_file_is_refused(tmp_path):
    path = tmp_path / "large.png"
    path.write_bytes(b"\0" * (MAX_BYTES + 1))
    with pytest.raises(ImageError, match=r"10\.0 MB; at most 10 MB"):
        open_image(path)
    with pytest.raises(ImageError, match="at most 10 MB"):
        open_image(path.read_bytes())


@pytest.mark.parametrize("data", [b"", b"hello", b"%PDF-1.7\n%%EOF", b"\x00" * 1000, b"<svg xmlns='x'/>"])
def test_what_is_no_image_gets_a_sentence(data):
    with pytest.raises(ImageError) as caught:
        open_image(data)
    assert str(caught.value) == ("This file is not an image that can be read. JPEG, PNG, WebP, GIF, BMP and TIFF can.")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_half_a_file_gets_a_sentence(kind, share):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))
    data = encoded(noise, kind)
    with pytest.raises(ImageError, match=r"damaged|not an image"):
        open_image(data[: int(len(data) * share)])


def test_a_missing_file_gets_a_sentence_without_its_folder(tmp_path):
    with pytest.raises(ImageError, match=r"^The file 'none\.png' cannot be opened\.$"):
        open_image(tmp_path / "none.png")
