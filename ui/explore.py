"""The first tab: the explorer. Everything updates without a button; nothing of the visitor's is lost by a failure."""

import secrets
from typing import Any

import gradio as gr
from gradio.processing_utils import save_bytes_to_cache

from ui import models
from ui.address import read_link
from ui.endpoints import look, ready
from ui.explorer import Explorer
from ui.export import npz_bytes
from ui.side import Side, example_photos
from ui.tab import ONE_LANE, Visit

# The page lets go of the old photo as soon as a new one is on its way. Gradio tells some changes twice.
_BEGIN = """(...given) => {
  const explorer = document.querySelector('#explorer .ax');
  const asked = JSON.stringify([given[0]?.path, given[1], given[2]]);
  if (explorer && given[0] && explorer.dataset.asked !== asked) {
    explorer.dataset.asked = asked;
    explorer.dispatchEvent(new Event('explorer:begin', {bubbles: true}));
  }
  return given;
}"""
# The same when the page opens; the address says what a link asks for.
_OPEN = """(_, ...given) => {
  document.querySelector('#explorer .ax')?.dispatchEvent(new Event('explorer:begin', {bubbles: true}));
  return [window.location.search, ...given];
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
    address = gr.Textbox(visible=False)
    last_photo, last_model, last_side = gr.State(), gr.State(first), gr.State()  # what this visitor last saw in full
    awaited = gr.State()  # a model that a link asks for, until it is loaded: the photo waits for it

    def analyze(image, model):
        """Look at a photo: the five most probable classes, then the explorer's data and files."""
        if image is None:
            return {}, None
        analysis = look(image, model, settings)
        return analysis.predictions, analysis

    def open_link(query, image, model, side):
        """Look at the opening photo, unless the address asks for another photo or model: then those are put in place,
        and looked at because they have changed."""
        link = read_link(query, model, example_photos()[0]["file"], settings.any_model)
        for problem in link.problems:
            gr.Warning(problem, title="Not all of this link can be shown", duration=12)
        if not (link.model or link.example):
            return *analyze_here(image, model, side), gr.skip(), gr.skip(), None
        seen: list[Any] = [gr.skip()] * 5
        seen[1] = link.example or (image and image.info.get("source"))  # where a failure comes back to
        placed = [gr.skip() if wanted is None else wanted for wanted in (link.example, link.model)]
        return *seen, *placed, link.model

    def analyze_photo(image, model, side, waits, *last):
        again = image is not None and (image.info.get("source"), model, side) == last
        return (gr.skip(),) * 5 if waits or again else analyze_here(image, model, side)

    def analyze_here(image, model, side):
        analysis = None if image is None else look(image, model, settings, side)
        return analysis, image and image.info.get("source"), model, side, secrets.token_hex(8)

    def load(model, progress=gr.Progress(track_tqdm=True)):
        ready(model, settings, progress)
        return models.line(model), models.card(model), models.size_slider(model, settings.attention), None

    def export(image, model, side, event: gr.EventData):
        analysis = look(image, model, settings, side)
        name = f"attention-{analysis.pretrained.checkpoint.name.replace('/', '-')}.npz"
        return save_bytes_to_cache(
            npz_bytes(analysis, event._data.get("options")), name, cache_dir=file.GRADIO_CACHE
        )  # deleted with the cache

    last = [last_photo, last_model, last_side]
    outputs = [explorer, *last, visit.run]
    quiet = {"js": _BEGIN, "show_progress": "hidden", "trigger_mode": "always_last", **ONE_LANE}
    opened = demo.load(open_link, [address, *visit.inputs], [*outputs, photo, model, awaited], **{**quiet, "js": _OPEN})
    seen = gr.on([photo.change, size.release], analyze_photo, [*visit.inputs, awaited, *last], outputs, **quiet)
    seen.success(None, js=_SHOW_LAST, api_visibility="private")

    # Another model may have to be downloaded first, with a progress bar; the photo stays.
    given = [line, side.card, size, awaited]
    loaded = model.change(load, model, given, show_progress="full", show_progress_on=explorer, **ONE_LANE)
    changed = loaded.success(analyze_here, visit.inputs, outputs, **quiet)
    visit.events += [opened, seen, changed]
    visit.mark(tab)

    # After a failure the page goes back to what was there.
    for event in (opened, seen, loaded, changed):
        back = event.failure(
            lambda *last: (*last, None), [last_photo, last_model], [photo, model, awaited], api_visibility="private"
        )
        back.then(None, js=_SHOW_LAST, api_visibility="private")

    gr.Button(visible=False).click(
        analyze, [photo, model], [predictions, explorer], api_name="analyze", concurrency_id="model"
    )
    saved = explorer.export(export, visit.inputs, file, show_progress="hidden", **ONE_LANE)
    saved.success(None, file, js=_DOWNLOAD, api_visibility="private")
