"""A photo input that answers every unreadable file with a sentence."""

import base64
import binascii

import gradio as gr
from gradio.data_classes import ImageData
from PIL import Image

from vit.images import ImageError, open_image


def sentence(message: object, title: str = "That did not work") -> gr.Error:
    """An error that a visitor can read: one plain sentence, no stack trace."""
    return gr.Error(str(message), title=title, print_exception=False, duration=12)


class PhotoInput(gr.Image):
    """`gr.Image` whose value reaches Python as an upright RGB image, read by `vit.images` and not by Gradio.

    Gradio's own reading clips 16-bit pixels, drops alpha and answers a broken file with a bare "Error".
    """

    is_template = True  # use gr.Image's frontend

    def preprocess(self, payload: ImageData | None) -> Image.Image | None:
        if payload is None or not (payload.path or payload.url):
            return None
        try:
            if payload.path:
                image = open_image(payload.path)
                image.info["source"] = payload.path  # so that the page can come back to this photo
                return image
            return open_image(base64.b64decode((payload.url or "").partition(",")[2], validate=True))
        except (ImageError, binascii.Error) as error:
            why = error if isinstance(error, ImageError) else "This image arrived damaged. Please try again."
            raise sentence(why, "This photo cannot be used") from None
