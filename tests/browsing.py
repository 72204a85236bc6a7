"""A visitor's page in real Chromium, for all tests of the page: `Visit`, and the fixtures `visit` and `opening`."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import ROOT
from PIL import Image
from safetensors.torch import save_file

import vit
from vit.images import open_image

# For `pytestmark`: Playwright and the pages' sockets warn in their own ways.
BROWSER = [
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
]
EXAMPLES = ROOT / "assets" / "examples"
PHOTOS = [str(EXAMPLES / entry["file"]) for entry in json.loads((EXAMPLES / "examples.json").read_text())]

NEW_RUN = """old => {
  const root = document.querySelector('#explorer [data-complete]');
  return root && root.dataset.complete !== old;
}"""


TIMM_NAMES = {  # ours to timm's
    "patch_embedding.projection": "patch_embed.proj",
    "patch_embedding.cls_token": "cls_token",
    "patch_embedding.register_tokens": "reg_token",
    "patch_embedding.positions": "pos_embed",
    "encoder_blocks": "blocks",
    "self_attn": "attn",
    "feed_forward": "mlp",
    "residual1.norm": "norm1",
    "residual2.norm": "norm2",
    "classification_head.norm": "norm",
    "classification_head.linear": "head",
}


def save_as_timm(model: vit.ViT, path: Path) -> str:
    """Write a model's weights in timm's layout, for a page whose host allows any file. Returns the path as text."""
    tensors = {}
    for name, tensor in model.state_dict().items():
        for ours, theirs in TIMM_NAMES.items():
            name = name.replace(ours, theirs)
        tensors[name] = tensor[None] if name == "pos_embed" else tensor
    save_file(tensors, path)
    return str(path)


class Visit:
    """One visitor's page, with the shortcuts that the tests need."""

    def __init__(self, browser, url: str, **options) -> None:
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 720}, **options})
        self.page = self.context.new_page()
        self.errors: list[str] = []
        self.requests: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(url)
        self.wait("")

    def wait(self, old: str) -> str:
        self.page.wait_for_function(NEW_RUN, arg=old, timeout=60_000)
        return self.run

    @property
    def run(self) -> str:
        return self.page.locator("#explorer .ax").get_attribute("data-complete") or ""

    def text(self, role: str) -> str:
        return self.page.locator(f"[data-role={role}]").inner_text()

    def answers(self) -> list[str]:
        return self.page.locator("[data-role=answers] span").all_inner_texts()

    def upload(self, path: str) -> str:
        old = self.run
        self.put(path)
        return self.wait(old)

    def put(self, path: str) -> None:
        """Replace the photo as a visitor does: take the old one away, then choose a file."""
        if not self.page.locator("#photo input[type=file]").count():
            self.page.locator("#photo button").first.click()
        self.page.locator("#photo input[type=file]").set_input_files(path)

    def layer(self, number: int) -> None:
        slide = "(s, n) => { s.value = n; s.dispatchEvent(new Event('input', { bubbles: true })); }"
        self.page.locator("[data-role=layer]").evaluate(slide, number)
        self.settle()

    def hover(self, row: int, col: int, which: str = "picture") -> None:
        """Move the pointer from outside onto a patch of the 16 × 16; rows and columns count from 1."""
        canvas = self.page.locator(f"[data-role={which}]")
        self.page.mouse.move(5, 700)
        canvas.scroll_into_view_if_needed()
        box = canvas.bounding_box()
        assert box
        canvas.hover(position={"x": box["width"] * (col - 0.5) / 16, "y": box["height"] * (row - 0.5) / 16})
        self.settle()

    def pin(self, row: int, col: int, which: str = "picture") -> None:
        """Click on a patch."""
        self.hover(row, col, which)
        self.page.mouse.down()
        self.page.mouse.up()
        self.settle()

    def act(self, name: str) -> None:
        """Press one of the explorer's buttons."""
        self.page.locator(f"#explorer [data-act={name}]").click()
        self.settle()

    def pick(self, name: str, value: str) -> None:
        """Choose in the explorer's panel, which is opened if need be."""
        if not self.page.locator("[data-role=more]").is_visible():
            self.act("more")
        self.page.locator(f"#explorer [data-pick={name}]").select_option(value)
        self.settle()

    def numbers(self) -> dict:
        """What the browser draws, as it saves it: manifest, and the maps of one or two queries."""
        if not self.page.locator("[data-role=more]").is_visible():
            self.act("more")
        with self.page.expect_download() as got:
            self.act("json")
        return json.loads(Path(got.value.path()).read_text(encoding="utf-8"))

    def settle(self) -> None:
        self.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def pixels(self, canvas: str = "[data-role=picture]") -> np.ndarray:
        """Red, green and blue of a canvas [rows cols 3]."""
        data = self.page.evaluate("name => document.querySelector(name).toDataURL()", canvas)
        raw = self.page.evaluate("async url => [...new Uint8Array(await (await fetch(url)).arrayBuffer())]", data)
        return np.asarray(Image.open(io.BytesIO(bytes(raw))).convert("RGB"), dtype=float)


@pytest.fixture
def visit(chromium, page_url):
    visits = []

    def open_page(**options) -> Visit:
        visits.append(Visit(chromium, page_url, **options))
        return visits[-1]

    yield open_page
    for each in visits:
        each.context.close()
        assert each.errors == []


@pytest.fixture(scope="module")
def opening():
    """What the model really computes for the photo that the page opens with."""
    pretrained = vit.load(vit.available()[0])
    with torch.no_grad():
        output = pretrained.model.trace(pretrained.preprocess(open_image(PHOTOS[0])).pixels)
        shares = pretrained.model.layer_logits(output).softmax(-1)[:, 0]
    return pretrained, output, shares
