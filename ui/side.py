"""The left column, the same beside every tab: the photo, the examples, the model's card and the input size."""

import html
import json
from dataclasses import dataclass
from pathlib import Path

import gradio as gr

from ui import models
from ui.photo import PhotoInput
from ui.settings import Settings

EXAMPLES = Path(__file__).parent.parent / "assets" / "examples"

_PROMISE = """<p>The server forgets your photo after about two hours and shows it to nobody else.</p>
<details><summary>Whose examples are these?</summary><ul>{}</ul></details>"""


@dataclass(frozen=True)
class Side:
    """The components of the left column that others read or write."""

    photo: PhotoInput
    card: gr.HTML
    size: gr.Slider


def example_photos() -> list[dict]:
    """The example photos: file (a path), title, author, licence, source."""
    listed = json.loads((EXAMPLES / "examples.json").read_text(encoding="utf-8"))
    return [{**entry, "file": str(EXAMPLES / entry["file"])} for entry in listed]


def credit(photo: dict) -> str:
    """Title, author and licence of an example, with links to its source and its licence."""
    f = {name: html.escape(str(value)) for name, value in photo.items()}
    return (
        f'<li><a href="{f["source"]}" target="_blank" rel="noopener">{f["title"]}</a>, {f["author"]}, '
        f'<a href="{f["licence_url"]}" target="_blank" rel="noopener">{f["licence"]}</a></li>'
    )


def build(settings: Settings, first: str) -> Side:
    """Build the column inside the current row; `first` is the name of the model at the start."""
    photos = example_photos()
    with gr.Column(scale=0, min_width=224, elem_id="left"):
        photo = PhotoInput(
            photos[0]["file"],
            type="filepath",
            image_mode=None,
            sources=["upload", "webcam", "clipboard"],
            label="Your photo",
            show_label=False,
            buttons=[],
            height=212,
            elem_id="photo",
            placeholder="Drop a photo here\nor click to choose one",
            alt_text="The photo that is looked at",
        )
        gr.Examples(
            [[entry["file"]] for entry in photos],
            [photo],
            label="or try one of these",
            elem_id="examples",
            preload=False,
            api_visibility="private",
        )
        gr.HTML(_PROMISE.format("".join(map(credit, photos))), elem_id="promise", apply_default_css=False)
        card = gr.HTML(models.card(first), elem_id="card", apply_default_css=False)
        size = models.size_slider(first, settings.attention)
    return Side(photo, card, size)
