"""The explorer: a photo under its attention map, drawn by the browser. Its HTML, CSS and scripts lie beside this."""

import secrets
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from gradio.data_classes import FileData, GradioModel
from numpy.typing import NDArray

import visualize
from ui import transport
from ui.address import example_of
from ui.component import Part
from ui.engine import Analysis
from ui.export import manifest

BUILT_IN = (  # on the photos of benchmarks/accuracy.py
    "This small built-in model names one test photo in three rightly; DeiT-Tiny, in the list above, six in seven."
)


class ExplorerData(GradioModel):
    """What the browser is sent at once; the attention itself lies in one file per layer."""

    run: str  # new for each run, so that the page notices
    image: FileData  # the crop that the model saw
    photo: FileData  # a thumbnail of the whole photo
    photo_size: list[int]  # width and height of the whole photo in pixels
    image_size: list[int]  # width and height of the crop as the model saw it
    box: list[float]  # the crop in the whole photo: left, top, right, bottom
    layers: list[FileData]  # gzip: float32 largest weights [planes query], uint8 codes [planes query key]
    heads: int  # planes are the heads, then the rollout up to that layer
    grid: list[int]  # rows and columns of patches
    prefix: list[str]  # names of the tokens in front of the patches
    quantiles: list[list[float]]  # [2][101]: of all weights on patches, of all rollouts on patches
    facts: dict  # the manifest of the exports
    example: str  # file name of the example that this photo is, "" for a photo of the visitor's own
    model: str
    note: str  # how far this model's predictions can be trusted, "" if nothing needs saying
    patch: int
    classes: list[str]  # the classes that are among the first five at any layer
    probabilities: list[list[float]]  # [depth][classes], the head applied to each layer
    course: list[int]  # layers from 0: where the final answer first leads, where for good, where the leader changes
    cosine: list[float]  # [depth], of the read-out token with its final state
    by_attention: list[float]  # [depth], share of the read-out token's change that attention made; the MLP the rest


def prefix_names(config) -> list[str]:
    """Names of the prefix tokens in their order."""
    names = ["class token"] * config.class_token + ["distillation token"] * config.distillation_token
    return names + [f"register {i + 1}" for i in range(config.registers)]


def _course(shares: NDArray[np.float32]) -> list[int]:
    c = visualize.course(torch.from_numpy(shares))
    return [c.first, c.settled, *c.flips]


def quantiles(weights: Iterable[NDArray[np.float32]], most: int = 400_000) -> list[float]:
    """The 101 quantiles of arrays of weights taken together: every n-th weight is read so that `most` are sorted, but
    the last quantile is the largest of all."""
    arrays = list(weights)
    step = max(1, sum(a.size for a in arrays) // most)
    sample = np.quantile(np.concatenate([a.ravel()[::step] for a in arrays]), np.linspace(0, 1, 101))
    return [*(float(f"{q:.6g}") for q in sample[:-1]), max(float(a.max()) for a in arrays)]


class Explorer(Part):
    """Shows an `Analysis`; emits "export" with the options of the moment when the visitor asks for all numbers.

    `budget`: bytes of decoded attention that the browser may hold; further layers are fetched when they are looked at.
    """

    data_model = ExplorerData
    folder = Path(__file__).parent
    scripts = (
        "numbers.js",
        "store.js",
        "draw.js",
        "panels.js",
        "timeline.js",
        "explorer.js",
        "controls.js",
        "matrix.js",
        "play.js",
        "address.js",
        "save.js",
        "events.js",
    )

    def __init__(self, value=None, *, budget: int = 96_000_000, **kwargs) -> None:
        super().__init__(value, budget=budget, **kwargs)

    def postprocess(self, value: Analysis | ExplorerData | None):
        if value is None or isinstance(value, ExplorerData):
            return value
        return self._describe(value)

    def api_info(self):
        return ExplorerData.model_json_schema()

    def _describe(self, a: Analysis) -> ExplorerData:
        thumbnail = a.original.copy()
        thumbnail.thumbnail((320, 320))
        shares = np.zeros((0, 0), np.float32) if a.probabilities is None else a.probabilities
        changes = np.zeros((2, 0)) if a.changes is None else a.changes
        top = np.argsort(-shares, axis=1, kind="stable")[:, :5]
        classes = sorted(set(top.flatten().tolist()), key=lambda i: -shares[-1][i])
        return ExplorerData(
            run=secrets.token_hex(8),
            image=self.picture(a.image, "crop.webp"),
            photo=self.picture(thumbnail, "photo.webp"),
            photo_size=list(a.original.size),
            image_size=list(a.image.size),
            box=list(a.box),
            layers=[self.save(transport.pack(p), f"layer{i + 1}.gz") for i, p in enumerate(a.planes)],
            heads=len(a.planes[0]) - 1,
            grid=list(a.grid),
            prefix=prefix_names(a.pretrained.model.config),
            quantiles=[
                quantiles(p[:-1, :, a.prefix :] for p in a.planes),
                quantiles(p[-1, :, a.prefix :] for p in a.planes),
            ],
            facts=manifest(a),
            example=example_of(a.original),
            model=a.pretrained.checkpoint.name,
            note=BUILT_IN if a.pretrained.checkpoint.source == "embedded" else "",
            patch=a.pretrained.model.config.patch_size,
            classes=[a.pretrained.labels[i] for i in classes],
            probabilities=shares[:, classes].round(6).tolist() if classes else [],
            course=_course(shares) if classes else [],
            cosine=changes[0].round(4).tolist(),
            by_attention=changes[1].round(4).tolist(),
        )
