"""The Explain tab: methods side by side on one photo, each with its measured faithfulness. Drawn by the browser."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.data_classes import FileData, GradioModel
from PIL import Image

import ui.explain.engine as engine
import visualize
from ui.component import Part
from ui.engine import Analysis
from ui.explain.engine import Opened
from ui.export import manifest
from ui.models import checkpoint_of, known, largest_side, usual_side
from ui.photo import sentence
from ui.settings import Settings
from ui.tab import ONE_LANE, Visit


class Photo(GradioModel):
    """What the browser needs to begin: pictures, and one file with everything that is only words and names."""

    image: FileData  # the crop that the model saw
    blurred: FileData  # what insertion starts from
    colour: list[int]  # what deletion fills with: red, green, blue
    grid: list[int]  # rows and columns of patches
    facts: FileData  # JSON: classes, their probabilities, methods, the manifest
    model: str


class ExplainData(GradioModel):
    """The photo that the tab is about, and the answer to what the browser asked last.

    With the run "" the page has not looked at a photo yet.
    """

    run: str
    photo: Photo | None = None
    answer: dict[str, Any] | None = None  # what was asked, and what was found


class Explain(Part):
    """Shows maps and scores; emits "measure" for each thing that it wants to know."""

    data_model = ExplainData
    folder = Path(__file__).parent
    scripts = ("words.js", "chooser.js", "pictures.js", "curves.js", "cards.js", "detail.js", "explain.js", "events.js")

    def postprocess(self, value: ExplainData | None):
        return value

    def api_info(self):
        return ExplainData.model_json_schema()

    def begin(self, o: Opened, a: Analysis) -> ExplainData:
        """What the browser is sent of a photo before any question."""
        preprocess = a.pretrained.preprocess
        about = {name: value for name, value in manifest(a).items() if name not in ("axes", "precision")}
        facts = {
            "classes": list(a.pretrained.labels) if a.pretrained.model.config.classes else [],
            "probabilities": [] if a.probabilities is None else [round(float(p), 6) for p in a.probabilities[0]],
            "methods": [describe(method) for method in visualize.METHODS.values()],
            "seeds": engine.SEEDS,
            "sigma": engine.SIGMA,
            "manifest": about,
        }
        photo = Photo(
            image=self.picture(a.image, "crop.webp"),
            blurred=self.picture(engine.blurred(o.pixels, preprocess), "blurred.webp"),
            colour=engine.plain_colour(o.pixels, preprocess),
            grid=list(a.grid),
            facts=self.save(json.dumps(facts).encode(), "facts.json", "application/json"),
            model=a.pretrained.checkpoint.name,
        )
        return ExplainData(run=o.run, photo=photo)


def describe(method: visualize.Method) -> dict:
    """A method's card as plain JSON; `link` leads to the paper."""
    found = re.search(r"arXiv (\d{4}\.\d{4,5})", method.paper)
    return {
        "name": method.name,
        "label": method.label,
        "paper": method.paper,
        "link": f"https://arxiv.org/abs/{found[1]}" if found else "",
        "shows": method.shows,
        "limits": method.limits,
        "needs_target": method.needs_target,
        "contrastive": method.contrastive,
        "slow": method.slow,
        "baseline": method.baseline,
    }


def find_out(o: Opened, what: str, method: str, target: int | None, rival: int | None, seed: int, names: list) -> dict:
    """The answer to one question of the browser. Raises ValueError with a sentence."""
    if what == "agreement":
        return {"agreement": engine.agreement({name: engine.map_of(o, name, target, rival) for name in names})}
    if what == "map":
        done = engine.go_on(o, method, target, rival, seed)
        if done < 1:
            return {"done": done}
        heatmap = engine.map_of(o, method, target, rival, seed)
        return {"map": base64.b64encode(heatmap.astype("<f4").tobytes()).decode()}
    if what == "score" and target is not None:
        heatmap = engine.map_of(o, method, target, rival, seed)
        return {"score": engine.curves(o.name, o.pixels, heatmap, target, o.device)}
    if what in ("stability", "dependence"):
        key = engine.key_of(method, target, rival, seed)
        return {"value": engine.check(o.name, what, o.pixels, method, key[2], engine.options_of(key), o.device)}
    raise ValueError("The page asked for something that this server does not know.")


def answer(o: Opened, asked: dict[str, Any]) -> dict[str, Any]:
    """What the browser asked, with what was found or with `error`, a sentence."""

    def whole(name: str) -> int | None:
        return asked[name] if type(asked.get(name)) is int else None

    method, target, rival = str(asked.get("method")), whole("target"), whole("rival")
    names = asked.get("names")
    names = [name for name in names if name in visualize.METHODS] if isinstance(names, list) else []
    question = {name: asked.get(name) for name in ("serial", "what", "method", "target", "rival", "seed", "names")}
    try:
        if method not in visualize.METHODS and not names:
            raise ValueError("There is no such method here.")
        return {**question, **find_out(o, str(asked.get("what")), method, target, rival, whole("seed") or 0, names)}
    except ValueError as error:
        return {**question, "error": str(error)}
    except (RuntimeError, MemoryError):  # a device without the memory for it
        return {**question, "error": "This took more memory than the server has: try a smaller input size."}


def open_here(image: Image.Image, model: str, side: int, settings: Settings) -> tuple[Opened, Analysis]:
    """A photo ready to be explained; every failure is a sentence."""
    try:
        c = checkpoint_of(known(model, settings.any_model))
        side = min(side or usual_side(c, settings.attention), largest_side(c, settings.attention))
        return engine.open_photo(image, model, settings.device, max(1, round(side / c.patch)) * c.patch)
    except (ValueError, OSError) as error:
        raise sentence(error, "This photo could not be looked at") from error


def build(visit: Visit, tab: gr.Tab) -> None:
    """Build the tab inside `tab`.

    The browser asks for one thing at a time, a map or one pair of curves, and asks on when it has the answer. Each is
    an event of its own in the one lane for models, so that between any two of them other visitors have their turn;
    a generator would hold the lane until its last map. A map of one pass for each patch comes in pieces. What was
    asked for an older photo is not answered.
    """
    explain = Explain(value=ExplainData(run=""), elem_id="explain")
    held = gr.State()  # this visitor's `Opened`, to which maps are added in place, and what the browser was sent of it

    def show(image, model, side):
        opened, analysis = open_here(image, model, side, visit.settings)
        sent = explain.begin(opened, analysis)
        return sent, (opened, sent)

    def measure(here: tuple[Opened, ExplainData] | None, event: gr.EventData):
        if here is None:
            raise sentence("The server has let go of this photo. Choose it again to go on.", "No photo")
        opened, sent = here
        asked = event._data if isinstance(event._data, dict) else {}
        if asked.get("run") != opened.run:
            return gr.skip()
        return ExplainData(run=opened.run, photo=sent.photo, answer=answer(opened, asked))

    visit.follow(tab, show, [explain, held], show_progress="hidden")
    measured = explain.measure(measure, held, explain, show_progress="hidden", trigger_mode="multiple", **ONE_LANE)
    failed = "() => document.dispatchEvent(new Event('explain:failed'))"
    measured.failure(None, js=failed, api_visibility="private")
