"""The tab "Model": what the weights alone show, as in figure 7 of the ViT paper; figures that can be downloaded."""

import secrets
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import gradio as gr
import torch
from gradio.data_classes import FileData, GradioModel

import visualize
import vit
from ui import layers
from ui.component import Part
from ui.engine import MODELS
from ui.layers.engine import LayersView
from ui.tab import Visit
from visualize.plots import ACCENT, FAINT, INK

# The two sentences under each figure: what is drawn, and what to look for.
FILTERS = (
    "The first 28 principal components of the filters that turn a patch into a token, in their own colours; grey is 0.",
    "A trained model shows smooth waves, edges and colour contrasts here; noise means that it was trained little or "
    "that these components hold little.",
)
POSITIONS = (
    "Each small map belongs to one place in the photo: how alike its position is to that of every other place.",
    "Bright spots around the own place, or whole bright rows and columns, mean that the model knows rows and columns.",
)
DISTANCE = (
    "One dot per head: how far away, on average and in pixels, the patches look on this photo.",
    "Low dots are heads that look nearby, which many models have only in early layers; high dots look everywhere.",
)
NORMS = (
    "How large the weights of each part are, layer by layer, as the root of their mean square.",
    "Smooth courses are usual; a layer that stands out was trained otherwise or works harder than its neighbours.",
)


class Figure(GradioModel):
    """One figure as a file, with its title and two sentences."""

    name: str  # of the downloaded file, without its ending
    title: str
    words: list[str]
    svg: FileData


class ModelData(GradioModel):
    """What the browser is sent."""

    run: str
    model: str
    title: str
    ink: list[str]  # colours in the figures that the page exchanges for its own: text, lines, accent
    figures: list[Figure]
    summary: str  # vit.summary


@dataclass(frozen=True, eq=False)
class ModelView:
    """What the part is given."""

    pretrained: vit.Pretrained
    figures: list[tuple[str, str, tuple[str, str], bytes]]  # name, title, words, SVG
    summary: str


def _of_weights(pretrained: vit.Pretrained) -> tuple[bytes, bytes, bytes, str]:
    """What does not depend on the photo: filters, positions, norms as SVG, and the summary."""
    model = pretrained.model
    drawn = (visualize.filters_figure(model), visualize.position_figure(model), visualize.norms_figure(model))
    filters, positions, norms = map(visualize.figure_bytes, drawn)
    return filters, positions, norms, vit.summary(model)


class _Kept:
    """Figures of the models seen last, so that a new photo costs only one of them."""

    def __init__(self, most: int = 4) -> None:
        self.most = most
        self._kept: OrderedDict[int, tuple[vit.Pretrained, tuple[bytes, bytes, bytes, str]]] = OrderedDict()

    def get(self, pretrained: vit.Pretrained) -> tuple[bytes, bytes, bytes, str]:
        key = id(pretrained)  # kept beside the figures, so that no other object gets this number
        if key not in self._kept:
            self._kept[key] = pretrained, _of_weights(pretrained)
            while len(self._kept) > self.most:
                self._kept.popitem(last=False)
        return self._kept[key][1]


KEPT = _Kept()


def figures_of(pretrained: vit.Pretrained, view: LayersView | None = None) -> ModelView:
    """All figures of a model; that of attention distance needs a photo's `view`."""
    filters, positions, norms, summary = KEPT.get(pretrained)
    made = [
        ("patch-filters", "What a patch is compared with", FILTERS, filters),
        ("position-similarity", "How alike the positions are", POSITIONS, positions),
    ]
    if view is not None:
        average = layers.average_of(pretrained, view.grid)
        figure = visualize.depth_figure(
            torch.from_numpy(view.layers.measures["distance"]),
            "mean attention distance in pixels",
            average=None if average is None else torch.tensor(average["distance"]),
            even=view.layers.even,
        )
        made.append(("attention-distance", "How far the heads look", DISTANCE, visualize.figure_bytes(figure)))
    made.append(("weight-norms", "How large the weights are", NORMS, norms))
    return ModelView(pretrained, made, summary)


class ModelPart(Part):
    """Shows a `ModelView`."""

    data_model = ModelData
    folder = Path(__file__).parent
    scripts = ("model.js",)

    def postprocess(self, value: ModelView | ModelData | None):
        if value is None or isinstance(value, ModelData):
            return value
        return ModelData(
            run=secrets.token_hex(8),
            model=value.pretrained.checkpoint.name,
            title=value.pretrained.checkpoint.title or value.pretrained.checkpoint.name,
            ink=[INK, FAINT, ACCENT],
            figures=[
                Figure(name=name, title=title, words=list(words), svg=self.save(svg, f"{name}.svg", "image/svg+xml"))
                for name, title, words, svg in value.figures
            ],
            summary=value.summary,
        )

    def api_info(self):
        return ModelData.model_json_schema()


def build(visit: Visit, tab: gr.Tab) -> None:
    """Build the tab inside `tab`."""
    part = ModelPart(elem_id="model-tab")

    def show(image, model, side):
        view = layers.show(image, model, side, visit.settings)
        return figures_of(MODELS.get(model), view)

    visit.follow(tab, show, [part])
