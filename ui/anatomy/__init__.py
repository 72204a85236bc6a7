"""The tab "Anatomy": one forward pass of the visitor's photo, step by step, beside the source that does it.

One call per photo brings everything; another layer, head or token is a short call that sends only what has changed;
the slips are computed when they come into sight.
"""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import gradio as gr
from PIL import Image

from ui.anatomy.source import snippets
from ui.anatomy.step import CHAPTERS
from ui.anatomy.subject import AnatomyData, Kept, Subject, describe, reopen, with_slips
from ui.component import Part
from ui.models import checkpoint_of, known, largest_side, usual_side
from ui.photo import sentence
from ui.settings import Settings
from ui.tab import ONE_LANE, Visit

# The choice travels with the photo: this tab's own, else the explorer's, whose home, the class token, counts as none.
_WITH_CHOICE = """(...given) => {
  const there = window.explorerChoice || {};
  const choice = window.anatomyChoice || {...there, query: there.query > 0 ? there.query : null};
  return [...given.slice(0, -1), JSON.stringify(choice)];
}"""
_SHOW_LAST = "() => document.querySelector('#anatomy .ax')?.dispatchEvent(new Event('anatomy:last', {bubbles: true}))"


class Anatomy(Part):
    """Shows `AnatomyData`; emits "choose" for another layer, head or token, and "slips" when those come into sight."""

    data_model = AnatomyData
    folder = Path(__file__).parent
    scripts = ("decode.js", "paint.js", "pieces.js", "photo_steps.js", "block_steps.js", "end_steps.js", "anatomy.js")

    def __init__(self, value=None, **kwargs) -> None:
        super().__init__(value, **kwargs)
        lines = {key: asdict(snippet) for key, snippet in snippets().items()}
        fixed = f"props.snippets = {json.dumps(lines)};\nprops.chapters = {json.dumps(CHAPTERS)};\n"
        self.js_on_load = fixed + str(self.js_on_load)  # as Part does with its tables

    def postprocess(self, value: AnatomyData | None):
        return value

    def api_info(self):
        return AnatomyData.model_json_schema()


def subject_of(image: Image.Image, model: str, side: int | None, settings: Settings) -> Subject:
    """The photo in this model at `side` pixels, within what this server allows. Raises ValueError with a sentence."""
    c = checkpoint_of(known(model, settings.any_model))
    side = min(side or usual_side(c, settings.attention), largest_side(c, settings.attention))
    return Subject.of(image, model, max(1, round(side / c.patch)) * c.patch, settings.device)


def build(visit: Visit, tab: gr.Tab) -> None:
    """Build the tab inside `tab`."""
    settings = visit.settings
    part = Anatomy(elem_id="anatomy")
    kept = gr.State()
    choice = gr.Textbox(visible=False)

    def answer(look: Callable[[Subject], Kept], image, model, side) -> tuple[AnatomyData, Kept]:
        try:
            done = look(subject_of(image, model, side, settings))
        except (ValueError, OSError) as error:
            raise sentence(error, "This photo could not be opened up") from error
        return done.data, done

    def show(image, model, side, wanted):
        return answer(lambda subject: describe(part, subject, json.loads(wanted or "{}")), image, model, side)

    def choose(image, model, side, before, wanted):
        if image is None or before is None:
            return gr.skip()
        return answer(lambda subject: reopen(part, subject, before, json.loads(wanted)), image, model, side)

    def slips(image, model, side, before):
        if image is None or before is None or before.data.slips is not None:
            return gr.skip()
        return answer(lambda subject: with_slips(part, subject, before), image, model, side)

    events = visit.follow(tab, show, [part, kept], [choice], js=_WITH_CHOICE)
    quiet = {**ONE_LANE, "show_progress": "hidden"}
    asked = {"js": _WITH_CHOICE, "trigger_mode": "always_last", **quiet}
    events.append(part.choose(choose, [*visit.inputs, kept, choice], [part, kept], **asked))
    events.append(part.slips(slips, [*visit.inputs, kept], [part, kept], **quiet))
    for event in events:  # after a failure what was there is shown again
        event.failure(None, js=_SHOW_LAST, api_visibility="private")
