"""The first tab: the explorer. Everything updates without a button; nothing of the visitor's is lost by a failure."""

import secrets

import gradio as gr
from gradio.processing_utils import save_bytes_to_cache

from ui import models
from ui.endpoints import look, ready
from ui.explorer import Explorer
from ui.export import npz_bytes
from ui.side import Side
from ui.tab import ONE_LANE, Visit

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


def build(visit: Visit, tab: gr.Tab, side: Side, demo: gr.Blocks, line: gr.HTML, first: str) -> None:
    """Build the tab inside `tab`, and the events that look at a new photo; they are added to `visit.events`.

    `line` is the words beside the model choice, `first` the model's name at the start.
    """
    settings, photo, model, size = visit.settings, visit.photo, visit.model, visit.size
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
        return analysis, image and image.info.get("source"), model, secrets.token_hex(8)

    def load(model, progress=gr.Progress(track_tqdm=True)):
        ready(model, settings, progress)
        return models.line(model), models.card(model), models.size_slider(model, settings.attention)

    def export(image, model, side):
        analysis = look(image, model, settings, side)
        name = f"attention-{analysis.pretrained.checkpoint.name.replace('/', '-')}.npz"
        return save_bytes_to_cache(npz_bytes(analysis), name, cache_dir=file.GRADIO_CACHE)  # deleted with the cache

    outputs = [explorer, last_photo, last_model, visit.run]
    quiet = {"js": _BEGIN, "show_progress": "hidden", "trigger_mode": "always_last", **ONE_LANE}
    seen = gr.on([photo.change, size.release, demo.load], analyze_here, visit.inputs, outputs, **quiet)

    # Another model may have to be downloaded first, with a progress bar; the photo stays.
    given = [line, side.card, size]
    loaded = model.change(load, model, given, show_progress="full", show_progress_on=explorer, **ONE_LANE)
    changed = loaded.success(analyze_here, visit.inputs, outputs, **quiet)
    visit.events += [seen, changed]
    visit.mark(tab)

    # After a failure the page goes back to what was there.
    for event in (seen, loaded, changed):
        back = event.failure(lambda *last: last, [last_photo, last_model], [photo, model], api_visibility="private")
        back.then(None, js=_SHOW_LAST, api_visibility="private")

    gr.Button(visible=False).click(
        analyze, [photo, model], [predictions, explorer], api_name="analyze", concurrency_id="model"
    )
    saved = explorer.export(export, visit.inputs, file, show_progress="hidden", **ONE_LANE)
    saved.success(None, file, js=_DOWNLOAD, api_visibility="private")
