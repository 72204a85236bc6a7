"""The page as a visitor uses it, in real Chromium."""

import io
import json
import re
from itertools import pairwise

import numpy as np
import pytest
import torch
from conftest import start_app
from PIL import Image
from safetensors.torch import save_file

import vit
from ui.side import example_photos
from vit.images import open_image

pytestmark = [
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
]
PHOTOS = [entry["file"] for entry in example_photos()]
NEW_RUN = """old => {
  const root = document.querySelector('#explorer [data-complete]');
  return root && root.dataset.complete !== old;
}"""


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

    def hover(self, row: int, col: int) -> None:
        box = self.page.locator("[data-role=picture]").bounding_box()
        assert box
        self.page.mouse.move(box["x"] + box["width"] * (col - 0.5) / 16, box["y"] + box["height"] * (row - 0.5) / 16)
        self.settle()

    def settle(self) -> None:
        self.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def pixels(self) -> np.ndarray:
        data = self.page.evaluate("() => document.querySelector('[data-role=picture]').toDataURL()")
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


def test_the_page_opens_with_an_example_already_explained(visit, opening):
    pretrained, _, shares = opening
    v = visit()
    assert v.page.locator("#explorer .ax").get_attribute("data-state") == "ready"
    best = shares[-1].argsort(descending=True)[:5]
    assert v.answers() == [pretrained.labels[i] for i in best]
    assert "class token looks most at" in v.text("sentence")
    assert v.text("layer-name") == "12 of 12"


def test_it_needs_no_other_host(visit, page_url):
    v = visit()
    assert v.requests
    assert all(url.startswith((page_url, "data:", "blob:")) for url in v.requests)


def test_everything_fits_a_laptop_without_scrolling(visit):
    v = visit()
    for what in (
        "[data-role=picture]",
        "[data-role=layer]",
        "[data-role=heads]",
        "[data-set=method]",
        "#photo",
        "#examples",
    ):
        box = v.page.locator(what).first.bounding_box()
        assert box
        assert box["y"] + box["height"] <= 720, what
        assert box["x"] + box["width"] <= 1280, what


def test_predictions_follow_the_layer_and_are_marked_as_a_probe(visit, opening):
    pretrained, _, shares = opening
    v = visit()
    final = v.answers()
    v.layer(5)
    assert v.answers() == [pretrained.labels[i] for i in shares[4].argsort(descending=True)[:5]]
    assert "layer 5 had to answer" in v.text("answer-title")
    assert "probe" in v.text("answer-note").lower()
    v.layer(12)
    assert v.answers() == final
    assert v.text("answer-title") == "Prediction"


def test_hover_scrub_heads_and_modes_ask_the_server_nothing(visit):
    v = visit()
    before = v.pixels()
    asked = len(v.requests)
    pictures = []
    v.hover(4, 4)
    pictures.append(v.pixels())
    v.layer(3)
    pictures.append(v.pixels())
    v.page.locator('[data-head="2"]').click()
    v.settle()
    v.hover(9, 12)
    pictures.append(v.pixels())
    v.page.locator("[data-value=rollout]").click()
    v.page.locator('[data-value="to"]').click()
    v.hover(9, 12)
    pictures.append(v.pixels())
    sent = [url for url in v.requests[asked:] if not url.startswith("data:") and "heartbeat" not in url]
    assert sent == []
    for old, new in pairwise([before, *pictures]):
        assert np.abs(old - new).mean() > 0.5


def test_the_weight_in_words_is_the_models(visit, opening):
    _, output, _ = opening
    v = visit()
    v.hover(6, 11)
    row = output.attentions[-1][0].mean(0)[1 + 5 * 16 + 10]
    strongest = int(row[1:].argmax())
    said = v.text("sentence")
    where = "itself" if strongest == 90 else f"row {strongest // 16 + 1}, column {strongest % 16 + 1}"
    assert where in said
    percent = float(re.search(r": ([\d.]+)%", said).group(1))  # type: ignore[union-attr]
    assert percent == pytest.approx(100 * float(row[1:].max()), abs=0.051)  # one decimal is shown
    assert f"{100 * float(row[0]):.2f}"[:3] in said or f"{100 * float(row[0]):.1f}" in said


def test_a_click_pins_a_patch_and_the_class_token_is_one_click_back(visit):
    v = visit()
    home = v.pixels()
    back = v.page.locator("[data-act=home]")
    assert not back.is_visible()
    v.hover(8, 8)
    v.page.mouse.down()
    v.page.mouse.up()
    v.page.mouse.move(5, 400)
    v.settle()
    assert v.text("sentence").startswith("The patch in row 8, column 8")
    back.click()
    v.page.mouse.move(5, 400)
    v.settle()
    assert v.text("sentence").startswith("The class token")
    assert np.abs(v.pixels() - home).max() == 0


def test_keys_move_through_layers_and_heads(visit):
    v = visit()
    v.page.locator("[data-role=picture]").focus()
    v.page.keyboard.press("ArrowLeft")
    v.settle()
    assert v.text("layer-name") == "11 of 12"
    v.page.keyboard.press("ArrowDown")
    v.settle()
    assert v.page.locator('[data-head="max"]').get_attribute("aria-pressed") == "true"


def test_play_runs_through_the_layers_and_stops_at_the_last(visit):
    v = visit()
    v.page.locator("[data-act=play]").click()
    v.page.wait_for_function("() => document.querySelector('[data-role=layer]').value < 6")
    v.page.wait_for_function("() => document.querySelector('[data-role=layer]').value == 12", timeout=15_000)
    assert v.page.locator("[data-act=play]").get_attribute("aria-pressed") == "false"


def test_another_photo_replaces_everything(visit):
    v = visit()
    first, picture = v.answers(), v.pixels()
    v.layer(2)
    v.upload(PHOTOS[1])
    assert v.answers() != first
    assert v.text("layer-name") == "12 of 12"
    assert np.abs(v.pixels() - picture).mean() > 5
    assert "600 × 400" in v.text("crop-note") or "pixels" in v.text("crop-note")


def test_an_example_is_one_click(visit):
    v = visit()
    old = v.run
    v.page.locator("#examples button").nth(2).click()
    assert v.wait(old) != old


def test_a_file_that_is_no_image_is_explained_and_the_last_photo_comes_back(visit, tmp_path):
    v = visit()
    v.upload(PHOTOS[1])
    answers = v.answers()
    bad = tmp_path / "photo.jpg"
    bad.write_bytes(b"%PDF-1.4 not an image at all")
    old = v.run
    v.page.locator("#photo input[type=file]").set_input_files(str(bad)) if v.page.locator(
        "#photo input[type=file]"
    ).count() else v.page.evaluate(
        """async bytes => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(bytes)], 'photo.jpg', { type: 'image/jpeg' }));
          for (const kind of ['dragenter', 'dragover', 'drop']) {
            document.querySelector('#photo [data-testid=image], #photo .image-container, #photo')
              .dispatchEvent(new DragEvent(kind, { dataTransfer: data, bubbles: true }));
          }
        }""",
        list(bad.read_bytes()),
    )
    toast = v.page.locator("[data-testid=toast-body]")
    toast.wait_for(timeout=20_000)
    assert "not an image that can be read" in toast.inner_text()
    v.wait(old)
    assert v.answers() == answers


def test_without_a_photo_the_page_says_what_to_do(visit):
    v = visit()
    v.page.locator("#photo button").first.click()
    v.page.wait_for_selector('#explorer .ax[data-state="empty"]')
    assert "Drop a photo" in v.text("veil")
    assert not v.page.locator("[data-role=answers]").is_visible()


def test_a_visitors_photo_stays_in_their_own_page(visit):
    one = visit()
    one.upload(PHOTOS[2])
    two = visit()
    assert two.answers() != one.answers()
    assert one.run != two.run


def test_downloads_are_the_picture_and_all_numbers(visit, opening):
    _, output, _ = opening
    v = visit()
    v.page.locator(".ax-more summary").click()
    with v.page.expect_download() as got:
        v.page.locator("[data-act=png]").click()
    with Image.open(got.value.path()) as picture:
        assert picture.size[0] == 896
    with v.page.expect_download(timeout=60_000) as got:
        v.page.locator("[data-act=npz]").click()
    with np.load(got.value.path()) as numbers:
        exact = output.attentions[6][0].numpy()
        np.testing.assert_allclose(numbers["attention_layer_07"], exact, rtol=1e-3, atol=1e-6)
        assert json.loads(str(numbers["manifest"]))["model"] == vit.available()[0]


def test_view_options_change_the_picture(visit):
    v = visit()
    v.page.locator(".ax-more summary").click()
    seen = [v.pixels()]
    for name, value in (("colormap", "viridis"), ("scale", "log"), ("range", "layer")):
        v.page.locator(f"[data-pick={name}]").select_option(value)
        v.settle()
        seen.append(v.pixels())
    v.page.locator("[data-pick=lines]").check()
    v.settle()
    seen.append(v.pixels())
    v.page.locator("[data-pick=opacity]").fill("0")
    v.settle()
    seen.append(v.pixels())
    for old, new in pairwise(seen):
        assert np.abs(old - new).mean() > 0.2
    assert "logarithmic" in v.text("scale-name")


def test_light_and_dark_are_one_click_and_remembered(visit):
    v = visit()
    dark = "() => document.body.classList.contains('dark')"
    before = v.page.evaluate(dark)
    v.page.locator("#toggle").click()
    assert v.page.evaluate(dark) is not before
    v.page.reload()
    v.wait("")
    assert v.page.evaluate(dark) is not before


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_sees_one_column_without_sideways_scrolling(visit, scheme):
    v = visit(viewport={"width": 390, "height": 844}, color_scheme=scheme, has_touch=True)
    assert v.page.evaluate("() => document.documentElement.scrollWidth") <= 390
    picture, side = (v.page.locator(s).bounding_box() for s in ("[data-role=picture]", ".ax-side"))
    assert picture
    assert side
    assert picture["width"] >= 340
    assert side["y"] > picture["y"] + picture["height"]
    v.page.locator("[data-role=picture]").tap(position={"x": 100, "y": 100})
    v.settle()
    assert v.text("sentence").startswith("The patch in row")


@pytest.fixture(scope="module")
def open_host():
    """A page whose host allows any file of weights."""
    process, url = start_app("--any-model", "1")
    yield url
    process.kill()
    process.wait(20)
    if process.stdout:
        process.stdout.close()


def choose(visit: Visit, name: str) -> None:
    visit.page.locator("#model input").fill(name)
    visit.page.locator("#model input").press("Enter")


def test_another_model_keeps_the_photo_and_a_bad_file_keeps_the_model(chromium, open_host, tmp_path):
    config = vit.ViTConfig(image_size=64, width=64, depth=3, heads=1, hidden=64, classes=0, registers=2)
    model = vit.ViT(config)
    names = {
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
    }
    tensors = {}
    for name, tensor in model.state_dict().items():
        for ours, theirs in names.items():
            name = name.replace(ours, theirs)
        tensors[name] = tensor[None] if name == "pos_embed" else tensor
    path = tmp_path / "mine.safetensors"
    save_file(tensors, path)
    v = Visit(chromium, open_host)
    try:
        old = v.run
        assert "640 × 427 pixels" in v.text("crop-note")
        choose(v, str(path))
        old = v.wait(old)
        assert v.text("layer-name") == "3 of 3"
        assert v.text("answer-title") == "No classes"
        assert v.page.locator("[data-token]").all_inner_texts()[1].startswith("register 1")
        assert "640 × 427 pixels" in v.text("crop-note")  # the same photo
        assert "Assumed" in v.page.locator("#card").inner_text() or v.page.locator("#card p").count()
        bad = tmp_path / "bad.safetensors"
        bad.write_bytes(b"not weights")
        choose(v, str(bad))
        toast = v.page.locator("[data-testid=toast-body]")
        toast.wait_for(timeout=20_000)
        assert "bad.safetensors" in toast.inner_text()
        v.page.wait_for_function("name => document.querySelector('#model input').value === name", arg=str(path))
        v.wait(old)  # the old model looks at the photo again
        assert v.text("layer-name") == "3 of 3"
        assert v.errors == []
    finally:
        v.context.close()


def test_models_are_searched_by_typing_and_strangers_files_are_refused(visit):
    v = visit()
    v.page.locator("#model input").click()
    v.page.locator("#model input").press_sequentially("dinov2")
    v.page.wait_for_function(
        """() => {
          const lines = [...document.querySelectorAll('[role=option]')].map(o => o.textContent);
          return lines.length > 3 && lines.every(line => /dinov2.*get \\d+ MB/i.test(line));
        }""",
        timeout=10_000,
    )
    v.page.locator("#model input").press("Escape")
    v.page.locator("#model input").fill("/etc/hostname")
    v.page.locator("#model input").press("Enter")
    v.page.mouse.click(5, 700)
    v.settle()
    assert v.page.locator("#model input").input_value().startswith("Embedded")


def test_a_larger_input_gives_a_finer_grid(visit):
    v = visit()
    old = v.run
    v.page.locator("#size input[type=number]").fill("280")
    v.page.locator("#size input[type=number]").press("Enter")
    v.page.locator("#size input[type=range]").dispatch_event("pointerup")
    v.page.locator("#size input[type=number]").blur()
    v.wait(old)
    assert "280 × 280" in v.text("crop-note")
    assert "of 400" in v.text("sentence")
