"""The first tab: a photo on the left, the explorer beside it. Everything updates without a button."""

import html
import json
from pathlib import Path

import gradio as gr
from gradio.processing_utils import save_bytes_to_cache

from ui import models
from ui.endpoints import look, ready
from ui.explorer import Explorer
from ui.export import npz_bytes
from ui.photo import PhotoInput
from ui.settings import Settings

EXAMPLES = Path(__file__).parent.parent / "assets" / "examples"

_PROMISE = """<p>The server forgets your photo after about two hours and shows it to nobody else.</p>
<details><summary>Whose examples are these?</summary><ul>{}</ul></details>"""

# The page lets go of the old photo as soon as a new one is on its way.
_BEGIN = """(...given) => {
  if (given[0]) document.querySelector('#explorer .ax')?.dispatchEvent(new Event('explorer:begin', {bubbles: true}));
  return given;
}"""
_SHOW_LAST = "() => document.querySelector('#explorer .ax')?.dispatchEvent(new Event('explorer:last', {bubbles: true}))"
_DOWNLOAD = """(file) => {
  const link = Object.assign(document.createElement('a'), {href: file.url, download: file.orig_name});
  link.click();
}"""


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


def build(settings: Settings, demo: gr.Blocks, model: gr.Dropdown, line: gr.HTML, first: str) -> None:
    """Build the tab inside the current Blocks.

    `model` is the page's model choice, `line` the words beside it, `first` the model's name at the start.
    """
    photos = example_photos()
    with gr.Row(elem_id="explore", equal_height=False):
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
        with gr.Column(scale=1, min_width=320, elem_id="right"):
            explorer = Explorer(elem_id="explorer")
    predictions = gr.Label(num_top_classes=5, visible=False)
    file = gr.File(visible=False)
    last_photo, last_model = gr.State(), gr.State(first)  # what this visitor last saw in full

    def analyze(image, model):
        """Look at a photo: the five most probable classes, then the explorer's data and files."""
        if image is None:
            return {}, None
        analysis = look(image, model, settings)
        return analysis.predictions, analysis

    def analyze_here(image, model, side):
        analysis = None if image is None else look(image, model, settings, side)
        return analysis, image and image.info.get("source"), model

    def load(model, progress=gr.Progress(track_tqdm=True)):
        ready(model, settings, progress)
        return models.line(model), models.card(model), models.size_slider(model, settings.attention)

    def export(image, model, side):
        analysis = look(image, model, settings, side)
        name = f"attention-{analysis.pretrained.checkpoint.name.replace('/', '-')}.npz"
        return save_bytes_to_cache(npz_bytes(analysis), name, cache_dir=file.GRADIO_CACHE)  # deleted with the cache

    one_lane = {"concurrency_id": "model", "concurrency_limit": 1, "api_visibility": "private"}
    inputs, outputs = [photo, model, size], [explorer, last_photo, last_model]
    quiet = {"js": _BEGIN, "show_progress": "hidden", "trigger_mode": "always_last", **one_lane}
    seen = gr.on([photo.change, size.release, demo.load], analyze_here, inputs, outputs, **quiet)

    # Another model may have to be downloaded first, with a progress bar; the photo stays.
    loaded = model.change(load, model, [line, card, size], show_progress="full", show_progress_on=explorer, **one_lane)
    changed = loaded.success(analyze_here, inputs, outputs, **quiet)

    # After a failure the page goes back to what was there: nothing of the visitor's is lost.
    for event in (seen, loaded, changed):
        back = event.failure(lambda *last: last, [last_photo, last_model], [photo, model], api_visibility="private")
        back.then(None, js=_SHOW_LAST, api_visibility="private")

    gr.Button(visible=False).click(
        analyze, [photo, model], [predictions, explorer], api_name="analyze", concurrency_id="model"
    )
    saved = explorer.export(export, inputs, file, show_progress="hidden", **one_lane)
    saved.success(None, file, js=_DOWNLOAD, api_visibility="private")
