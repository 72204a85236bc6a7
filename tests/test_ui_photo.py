"""The photo input: what arrives in Python, and what a visitor is told instead."""

import base64
import io

import gradio as gr
import pytest
from gradio.data_classes import ImageData
from PIL import Image

from ui.photo import PhotoInput


@pytest.fixture
def photo() -> PhotoInput:
    return PhotoInput(type="filepath", image_mode=None)


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def test_a_file_arrives_as_rgb_and_remembers_where_it_came_from(photo, tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(png(Image.new("RGBA", (30, 20), (255, 0, 0, 0))))
    image = photo.preprocess(ImageData(path=str(path)))
    assert image is not None
    assert image.mode == "RGB"
    assert image.getpixel((5, 5)) == (255, 255, 255)  # transparent: on white, not the hidden red
    assert image.info["source"] == str(path)


def test_a_data_url_arrives_too(photo):
    url = "data:image/png;base64," + base64.b64encode(png(Image.new("L", (8, 8), 7))).decode()
    image = photo.preprocess(ImageData(url=url))
    assert image is not None
    assert image.getpixel((0, 0)) == (7, 7, 7)


@pytest.mark.parametrize("payload", [None, ImageData()])
def test_no_photo_is_no_photo(photo, payload):
    assert photo.preprocess(payload) is None


def test_what_cannot_be_read_is_a_sentence(photo, tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"nothing like a picture")
    with pytest.raises(gr.Error, match="not an image that can be read"):
        photo.preprocess(ImageData(path=str(path)))
    with pytest.raises(gr.Error, match="damaged"):
        photo.preprocess(ImageData(url="data:image/png;base64,!!!"))
