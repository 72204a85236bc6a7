"""What the parts that the browser draws share: HTML, CSS and scripts from real files, pictures and bytes as files."""

import base64
import io
import json
from pathlib import Path

import gradio as gr
import numpy as np
from gradio import processing_utils
from gradio.data_classes import FileData
from PIL import Image

from visualize.render import COLORMAPS, colorize

SHARED = Path(__file__).parent / "shared"
SHARED_SCRIPTS = ("dom.js", "maps.js", "choice.js")


def colour_table(name: str) -> bytes:
    """A colour map as 256 times red, green, blue: the browser draws with the same colours as `visualize`."""
    return np.rint(colorize(np.linspace(0, 1, 256), name)).astype(np.uint8).tobytes()


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


class Part(gr.HTML):
    """A part of the page that the browser draws. Subclasses name their `folder`, its `scripts` and a `data_model`.

    `NAME.html` and `NAME.css` of the folder NAME, and the scripts joined in the order given, the shared ones first:
    together they are the body of one function of `element`, `trigger`, `props`, `server` and `watch`.
    """

    folder: Path
    scripts: tuple[str, ...]

    def __init__(self, value=None, **kwargs) -> None:
        name = self.folder.name
        tables = {each: base64.b64encode(colour_table(each)).decode() for each in COLORMAPS}
        paths = [SHARED / script for script in SHARED_SCRIPTS] + [self.folder / script for script in self.scripts]
        super().__init__(
            value,
            html_template=read(self.folder / f"{name}.html"),
            css_template=read(SHARED / "base.css") + read(self.folder / f"{name}.css"),
            # Not as a prop: Gradio replaces all props of an HTML component that an event skips (gr.skip()).
            js_on_load="\n".join([f"props.tables = {json.dumps(tables)};", *map(read, paths)]),
            apply_default_css=False,
            **kwargs,
        )

    def preprocess(self, payload):
        return payload

    def save(self, blob: bytes, name: str, mime: str = "application/octet-stream") -> FileData:
        """Bytes as a file that the browser can fetch; deleted with Gradio's cache."""
        path = processing_utils.save_bytes_to_cache(blob, name, cache_dir=self.GRADIO_CACHE)
        return FileData(path=path, mime_type=mime, orig_name=name)

    def picture(self, image: Image.Image, name: str) -> FileData:
        """An image as a WebP file that the browser can fetch."""
        buffer = io.BytesIO()
        image.save(buffer, "WEBP", quality=92)
        return self.save(buffer.getvalue(), name, "image/webp")
