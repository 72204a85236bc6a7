"""The tab "Layers and heads": a card for every head, what each patch says at each layer, and who soaks up attention."""

import gzip
import json
import secrets
from functools import lru_cache
from pathlib import Path

import gradio as gr
import numpy as np
from gradio.data_classes import FileData, GradioModel
from numpy.typing import NDArray

import vit
from ui import models
from ui.component import Part
from ui.explorer import prefix_names
from ui.layers.engine import LayersView, look_at_layers
from ui.photo import sentence
from ui.settings import Settings
from ui.tab import ONE_LANE, Visit
from visualize import heads, sinks

AVERAGES = Path(__file__).parents[2] / "assets" / "head_averages.json"  # made by benchmarks/head_averages.py


class LayersData(GradioModel):
    """What the browser is sent at once; numbers per patch lie in a file."""

    run: str
    model: str
    image: FileData  # the crop that the model saw
    grid: list[int]
    patch: int
    prefix: list[str]
    measures: dict[str, list[list[float]]]  # name to [depth][head]; the names are those of HeadStatistics
    offsets: list[list[list[int]]]  # [depth][head] to rows down, columns to the right
    tags: list[list[str]]
    thresholds: dict[str, float]  # what a tag asks for; local and global in pixels
    even: float  # distance of even attention in pixels
    average: dict | None  # photos, distance and entropy [depth][head]; None where no average is known
    sinks: list[dict]  # token, times, peak, since, norm; received and norms over the layers
    enough: float  # even shares that make a sink
    no_patches: str  # why single patches have no class; "" where they have
    detail: FileData  # gzip JSON: see `_detail`


@lru_cache(maxsize=1)
def averages() -> dict:
    """Known averages by the name of the model."""
    return json.loads(AVERAGES.read_text(encoding="utf-8")) if AVERAGES.is_file() else {}


def average_of(pretrained: vit.Pretrained, grid: tuple[int, int]) -> dict | None:
    """The average over many photos for exactly these weights at this grid, or None."""
    known = averages().get(pretrained.checkpoint.name)
    if known is None or tuple(known["grid"]) != grid or known["weights_sha256"] != pretrained.sha256:
        return None
    return {name: known[name] for name in ("photos", "distance", "entropy")}


def _shares(values: NDArray[np.float32]) -> list:
    """Shares in millionths as whole numbers, which compress well."""
    return np.rint(values * 1e6).astype(int).tolist()


def _detail(view: LayersView) -> bytes:
    """Numbers per patch as gzip JSON, shares in millionths: maps [depth][head][patch], rollouts [2][patch], says and
    sure [depth][patch], classes (numbers) and class_maps [class][depth][patch], final (numbers), labels."""
    a = view.layers
    parts = {
        "maps": _shares(a.maps),
        "rollouts": _shares(a.rollouts),
        "final": a.final,
        "says": [] if a.says is None else a.says.tolist(),
        "sure": [] if a.sure is None else _shares(a.sure),
        "classes": a.classes,
        "class_maps": [] if a.class_maps is None else _shares(a.class_maps.swapaxes(0, 1)),
        "labels": list(view.pretrained.labels),
    }
    return gzip.compress(json.dumps(parts, separators=(",", ":")).encode(), compresslevel=1)


def _no_patches(view: LayersView) -> str:
    if not view.config.classes:
        return "This model was trained without labels. It has no head, so its patches cannot say anything."
    if view.config.readout == "class_mean":
        return (
            "The head of this model reads the class token and the mean of the patches together. A single patch is only "
            "half of what it needs, so patches have no class of their own."
        )
    return ""


class LayersPart(Part):
    """Shows a `LayersView`; emits "ask" with the number of a class that is to get a map."""

    data_model = LayersData
    folder = Path(__file__).parent
    scripts = ("plots.js", "cards.js", "patches.js", "sinks.js", "layers.js")

    def postprocess(self, value: LayersView | LayersData | None):
        if value is None or isinstance(value, LayersData):
            return value
        a, c = value.layers, value.config
        pretrained = value.pretrained
        return LayersData(
            run=secrets.token_hex(8),
            model=pretrained.checkpoint.name,
            image=self.picture(value.image, "crop.webp"),
            grid=list(value.grid),
            patch=c.patch_size,
            prefix=prefix_names(c),
            measures={name: numbers.round(4).tolist() for name, numbers in a.measures.items()},
            offsets=a.offsets.tolist(),
            tags=a.tags,
            thresholds={
                "sink": heads.SINK,
                "class token": heads.CLASS_TOKEN,
                "positional": heads.POSITIONAL,
                "local": heads.LOCAL * a.even,
                "global": heads.GLOBAL * a.even,
            },
            even=a.even,
            average=average_of(pretrained, value.grid),
            sinks=[
                {
                    **vars(s),
                    "received": a.received[:, s.token].round(3).tolist(),
                    "norms": a.norms[:, s.token].round(3).tolist(),
                }
                for s in a.sinks
            ],
            enough=sinks.TIMES,
            no_patches=_no_patches(value),
            detail=self.save(_detail(value), "layers.gz"),
        )

    def api_info(self):
        return LayersData.model_json_schema()


def show(image, model: str, side, settings: Settings, extra: tuple[int, ...] = ()) -> LayersView:
    """What the tab shows of a photo; every failure is a sentence."""
    try:
        c = models.checkpoint_of(models.known(model, settings.any_model))
        side = min(side or models.usual_side(c, settings.attention), models.largest_side(c, settings.attention))
        side = max(1, round(side / c.patch)) * c.patch
        return look_at_layers(image, model, side, extra, settings.device)
    except (ValueError, OSError) as error:
        raise sentence(error, "This photo could not be looked at") from error


def build(visit: Visit, tab: gr.Tab) -> None:
    """Build the tab inside `tab`."""
    part = LayersPart(elem_id="layers")
    visit.follow(tab, lambda image, model, side: show(image, model, side, visit.settings), [part])

    def ask(image, model, side, event: gr.EventData):
        index = event._data.get("index") if isinstance(event._data, dict) else None
        if image is None or not isinstance(index, int):
            return gr.skip()
        return show(image, model, side, visit.settings, (index,))

    part.ask(ask, visit.inputs, part, show_progress="hidden", trigger_mode="always_last", **ONE_LANE)
