"""The explorer: a photo under its attention map, drawn by the browser. Its HTML, CSS and scripts lie beside this."""

import base64
import io
import secrets
from pathlib import Path

import gradio as gr
import numpy as np
from gradio import processing_utils
from gradio.data_classes import FileData, GradioModel
from PIL import Image

from ui import transport
from ui.engine import Analysis
from visualize.render import COLORMAPS, colorize

FOLDER = Path(__file__).parent
BUILT_IN = (  # on the photos of benchmarks/accuracy.py
    "This small built-in model names one test photo in three rightly; DeiT-Tiny, in the list above, six in seven."
)
SCRIPTS = (
    "numbers.js",
    "draw.js",
    "panels.js",
    "explorer.js",
    "events.js",
)  # joined in this order: the body of one function


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
    model: str
    note: str  # how far this model's predictions can be trusted, "" if nothing needs saying
    patch: int
    classes: list[str]  # the classes that are among the first five at any layer
    probabilities: list[list[float]]  # [depth][classes], the head applied to each layer


def colour_table(name: str) -> bytes:
    """A colour map as 256 times red, green, blue: the browser draws with the same colours as `visualize`."""
    return np.rint(colorize(np.linspace(0, 1, 256), name)).astype(np.uint8).tobytes()


def prefix_names(config) -> list[str]:
    """Names of the prefix tokens in their order."""
    names = ["class token"] * config.class_token + ["distillation token"] * config.distillation_token
    return names + [f"register {i + 1}" for i in range(config.registers)]


class Explorer(gr.HTML):
    """Shows an `Analysis`; emits "export" when the visitor asks for all numbers."""

    data_model = ExplorerData

    def __init__(self, value=None, **kwargs) -> None:
        read = lambda name: (FOLDER / name).read_text(encoding="utf-8")  # noqa: E731
        tables = {name: base64.b64encode(colour_table(name)).decode() for name in COLORMAPS}
        super().__init__(
            value,
            html_template=read("explorer.html"),
            css_template=read("explorer.css"),
            js_on_load="\n".join(read(name) for name in SCRIPTS),
            apply_default_css=False,
            tables=tables,
            **kwargs,
        )

    def preprocess(self, payload):
        return payload

    def postprocess(self, value: Analysis | ExplorerData | None):
        if value is None or isinstance(value, ExplorerData):
            return value
        return self._describe(value)

    def api_info(self):
        return ExplorerData.model_json_schema()

    def _save(self, blob: bytes, name: str, mime: str) -> FileData:
        path = processing_utils.save_bytes_to_cache(blob, name, cache_dir=self.GRADIO_CACHE)
        return FileData(path=path, mime_type=mime, orig_name=name)

    def _picture(self, image: Image.Image, name: str) -> FileData:
        buffer = io.BytesIO()
        image.save(buffer, "WEBP", quality=92)
        return self._save(buffer.getvalue(), name, "image/webp")

    def _describe(self, a: Analysis) -> ExplorerData:
        thumbnail = a.original.copy()
        thumbnail.thumbnail((320, 320))
        shares = np.zeros((0, 0)) if a.probabilities is None else a.probabilities
        top = np.argsort(-shares, axis=1, kind="stable")[:, :5]
        classes = sorted(set(top.flatten().tolist()), key=lambda i: -shares[-1][i])
        return ExplorerData(
            run=secrets.token_hex(8),
            image=self._picture(a.image, "crop.webp"),
            photo=self._picture(thumbnail, "photo.webp"),
            photo_size=list(a.original.size),
            image_size=list(a.image.size),
            box=list(a.box),
            layers=[
                self._save(transport.pack(p), f"layer{i + 1}.gz", "application/octet-stream")
                for i, p in enumerate(a.planes)
            ],
            heads=len(a.planes[0]) - 1,
            grid=list(a.grid),
            prefix=prefix_names(a.pretrained.model.config),
            model=a.pretrained.checkpoint.name,
            note=BUILT_IN if a.pretrained.checkpoint.source == "embedded" else "",
            patch=a.pretrained.model.config.patch_size,
            classes=[a.pretrained.labels[i] for i in classes],
            probabilities=shares[:, classes].round(6).tolist() if classes else [],
        )
