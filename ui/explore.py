"""The first tab: a photo on the left, the explorer beside it. Everything updates without a button."""

import json
from pathlib import Path

import gradio as gr

from ui.endpoints import look
from ui.explorer import Explorer
from ui.export import write_npz
from ui.photo import PhotoInput
from ui.settings import Settings

EXAMPLES = Path(__file__).parent.parent / "assets" / "examples"

# The page forgets the old photo as soon as a new one is on its way; a failure brings back what was there.
_BEGIN = """(photo, model) => {
  if (photo) document.querySelector('#explorer .ax')?.dispatchEvent(new Event('explorer:begin', {bubbles: true}));
  return [photo, model];
}"""
_FAILED = "() => document.querySelector('#explorer .ax')?.dispatchEvent(new Event('explorer:failed', {bubbles: true}))"
_DOWNLOAD = "() => setTimeout(() => document.querySelector('#export-file a, a#export-file')?.click(), 250)"


def example_photos() -> list[dict]:
    """The example photos: file (a path), title, author, licence, source."""
    listed = json.loads((EXAMPLES / "examples.json").read_text(encoding="utf-8"))
    return [{**entry, "file": str(EXAMPLES / entry["file"])} for entry in listed]


def build(settings: Settings, demo: gr.Blocks, model: gr.Dropdown) -> tuple[PhotoInput, Explorer]:
    """Build the tab inside the current Blocks; `model` is the page's model choice."""
    photos = example_photos()
    with gr.Row(elem_id="explore", equal_height=False):
        with gr.Column(scale=0, min_width=232, elem_id="left"):
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
                example_labels=None,
                label="or try one of these",
                elem_id="examples",
                preload=False,
                api_visibility="private",
            )
            gr.HTML(
                "<p>Drop, paste or take a photo. It is kept on this server for two hours at most "
                "and shown to nobody else.</p>",
                elem_id="promise",
                apply_default_css=False,
            )
        with gr.Column(scale=1, min_width=320, elem_id="right"):
            explorer = Explorer(elem_id="explorer")
    predictions = gr.Label(num_top_classes=5, visible=False)
    file = gr.DownloadButton(visible="hidden", elem_id="export-file")

    def analyze(image, name):
        if image is None:
            return {}, None
        analysis = look(image, name, settings.device)
        return analysis.predictions, analysis

    def analyze_api(image, name):
        """Look at a photo: the five most probable classes, then attention of every layer as one file each."""
        analysis = look(image, name, settings.device)
        return analysis.predictions, analysis

    shown = gr.on(
        [photo.change, model.change, demo.load],
        analyze,
        [photo, model],
        [predictions, explorer],
        js=_BEGIN,
        api_visibility="private",
        trigger_mode="always_last",
        show_progress="minimal",
        show_progress_on=photo,
        concurrency_id="model",
        concurrency_limit=1,
    )
    shown.failure(None, js=_FAILED, api_visibility="private")
    gr.Button(visible=False).click(
        analyze_api, [photo, model], [predictions, explorer], api_name="analyze", concurrency_id="model"
    )

    def export(image, name):
        return str(write_npz(look(image, name, settings.device)))

    explorer.export(
        export, [photo, model], file, api_visibility="private", concurrency_id="model", show_progress_on=photo
    ).success(None, js=_DOWNLOAD, api_visibility="private")
    return photo, explorer
