"""The tab "Anatomy" as a visitor uses it, in real Chromium."""

import json

import numpy as np
import pytest
from browsing import BROWSER, PHOTOS, Visit, save_as_timm

import vit

pytestmark = BROWSER
READY = """([step, look]) => {
  const root = document.querySelector('#anatomy .anatomy[data-complete]');
  return root && root.dataset.state === 'ready' && (!step || root.dataset.step === step) && root.dataset.look !== look;
}"""
KEYS = "() => [...document.querySelectorAll('#anatomy .an-segments button')].map(button => button.dataset.step)"
PAINTED = """() => [...document.querySelectorAll('#anatomy .an-figure canvas')].map(canvas => {
  const pen = canvas.getContext('2d');
  const data = pen.getImageData(0, 0, canvas.width, canvas.height).data;
  return data.some((value, i) => value !== data[i % 4]);
})"""


class Anatomy:
    """The tab of one visitor's page."""

    def __init__(self, visitor: Visit) -> None:
        self.visitor, self.page = visitor, visitor.page
        self.open()
        self.wait()

    def open(self) -> None:
        """Choose the tab; on a narrow page it is behind "More tabs"."""
        tab = self.page.get_by_role("tab", name="Anatomy")
        if not tab.count():
            self.page.get_by_label("More tabs").click()
            tab = self.page.locator(".overflow-dropdown").get_by_role("button", name="Anatomy")
        tab.click()

    def wait(self, step: str = "", look: str = "") -> None:
        self.page.wait_for_function(READY, arg=[step, look], timeout=60_000)

    @property
    def look(self) -> str:
        return self.page.locator("#anatomy .anatomy").get_attribute("data-look") or ""

    @property
    def keys(self) -> list[str]:
        return self.page.evaluate(KEYS)

    def go(self, step: str) -> None:
        self.page.locator(f"#anatomy .an-segments [data-step={step}]").click()
        self.wait(step)

    def text(self, name: str) -> str:
        return self.page.locator(f"#anatomy [data-an={name}]").inner_text()

    def change(self, act) -> None:
        """Do something that brings new numbers, and wait for them."""
        before = self.look
        act()
        self.wait(look=before)


def test_the_arrow_keys_lead_through_all_steps(visit, opening):
    pretrained, output, _ = opening
    a = Anatomy(visit())
    keys = a.keys
    assert len(keys) == 25
    titles = set()
    for i, key in enumerate(keys):
        a.wait(key)
        assert a.text("place").endswith(f"step {i + 1} of 25")
        titles.add(a.text("title"))
        assert a.text("words")
        assert a.page.locator("#anatomy .an-figure > *").count() > 0
        painted = a.page.evaluate(PAINTED)
        drawn = a.page.locator("#anatomy .an-figure svg, #anatomy .an-final").count()
        assert painted or drawn, key
        assert sum(painted) >= 0.8 * len(painted), key  # a patch of clear sky may be one colour
        assert a.page.locator("#anatomy .an-source pre").first.inner_text().strip()
        assert a.page.locator("#anatomy .an-formula").first.inner_text().strip()
        link = a.page.locator("#anatomy [data-an=paper]")
        own = key in ("crop", "normalise", "answer", "squash")  # steps that the paper does not describe
        assert ("Not in the paper" in link.inner_text()) is own
        assert ("2010.11929" in (link.get_attribute("href") or "")) is not own
        if key == "flatten":
            assert "[1, 256, 588]" in a.text("shapes")
            assert "[1, 196, 768]" in a.text("shapes")
        if key == "softmax":
            assert "[1, 6, 257, 257]" in a.text("shapes")
        if key == "answer":
            best = output.logits[0].argmax()
            first = a.page.locator("#anatomy .an-final li").first.inner_text()
            assert pretrained.labels[int(best)] in first
            assert f"{float(output.logits[0, best]):.2f}" in first
        a.page.keyboard.press("ArrowRight")
    assert len(titles) == 25
    a.page.keyboard.press("ArrowLeft")
    a.wait(keys[-2])


def test_the_numbers_on_the_tab_are_the_models(visit, opening):
    _, output, _ = opening
    a = Anatomy(visit())
    a.go("softmax")
    middle = 1 + 8 * 16 + 8
    row = output.attentions[-1][0, 0, middle]
    cells = a.page.locator("#anatomy .an-grid td").all_inner_texts()
    said = np.array([float(cell.replace("−", "-")) for cell in cells])
    np.testing.assert_allclose(said, 100 * row[1:].numpy(), atol=0.0501)
    a.go("project")
    assert float(a.page.locator("#anatomy .an-check b").inner_text().split(" ")[0]) < 10


def test_a_click_chooses_a_patch_for_all_steps_and_the_page(visit, opening):
    _, output, _ = opening
    a = Anatomy(visit())
    a.go("patches")
    box = a.page.locator("#anatomy .an-pick").bounding_box()
    assert box
    at = {"x": box["width"] * 2.5 / 16, "y": box["height"] * 4.5 / 16}
    a.change(lambda: a.page.locator("#anatomy .an-pick").click(position=at))
    assert a.page.locator("#anatomy [data-an=token]").evaluate("s => s.selectedOptions[0].text") == "row 5, column 3"
    a.go("scores")
    a.change(lambda: a.page.locator("#anatomy [data-an=layer]").select_option(index=3))
    a.change(lambda: a.page.locator("#anatomy [data-an=head]").select_option(index=2))
    assert json.loads(a.page.evaluate("() => JSON.stringify(window.explorerChoice)")) == {
        "layer": 3,
        "head": 2,
        "query": 1 + 4 * 16 + 2,
    }
    a.go("softmax")
    weights = output.attentions[3][0, 2, 1 + 4 * 16 + 2]
    cells = a.page.locator("#anatomy .an-grid td").all_inner_texts()
    exact = 100 * weights[1:].numpy()
    assert (np.abs(np.array([float(c) for c in cells]) - exact) <= np.where(exact < 9.9, 0.0501, 0.501)).all()


def test_a_choice_made_elsewhere_is_followed(visit):
    a = Anatomy(visit())
    publish = """choice => {
      window.explorerChoice = choice;
      document.dispatchEvent(new CustomEvent('explorer:choice', { detail: { ...choice, from: 'explorer' } }));
    }"""
    a.go("scores")
    a.change(lambda: a.page.evaluate(publish, {"layer": 5, "head": 4, "query": 20}))
    assert "layer 6, head 5" in a.page.locator("#anatomy .an-figure").inner_text()
    a.page.get_by_role("tab", name="Explore").click()
    a.page.evaluate(publish, {"layer": 1, "head": "mean", "query": 0})  # home: a layer, no head, no patch of its own
    a.change(lambda: a.page.get_by_role("tab", name="Anatomy").click())
    assert "layer 2, head 5" in a.page.locator("#anatomy .an-figure").inner_text()
    assert a.page.locator("#anatomy [data-an=token]").input_value() == "20"


def test_the_explorers_choice_comes_along_and_goes_back(visit):
    v = visit()
    v.layer(4)
    v.page.locator('#explorer [data-head="1"]').click()
    v.pin(5, 7)
    a = Anatomy(v)
    a.go("scores")
    assert "layer 4, head 2" in a.page.locator("#anatomy .an-figure").inner_text()
    assert a.page.locator("#anatomy [data-an=token]").evaluate("s => s.selectedOptions[0].text") == "row 5, column 7"
    a.change(lambda: a.page.locator("#anatomy [data-an=layer]").select_option(index=8))
    a.page.get_by_role("tab", name="Explore").click()
    v.settle()
    assert v.text("layer-name") == "9 of 12"
    assert v.text("sentence").startswith("The patch in row 5, column 7")


def test_another_photo_while_the_tab_is_in_sight(visit):
    v = visit()
    a = Anatomy(v)
    a.go("photo")
    assert "427 rows" in a.text("words")
    a.change(lambda: v.upload(PHOTOS[1]))
    assert "400 rows" in a.text("words")
    a.go("squash")
    assert a.page.locator("#anatomy .an-card").count() == 4


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_sees_every_step_without_sideways_scrolling(visit, scheme):
    a = Anatomy(visit(viewport={"width": 390, "height": 844}, color_scheme=scheme, has_touch=True))
    for key in a.keys:
        a.page.locator("#anatomy [data-an=jump]").select_option(value=key)
        a.wait(key)
        assert a.page.evaluate("() => document.documentElement.scrollWidth") <= 390, key
        over = """() => [...document.querySelectorAll('#anatomy .an-figure > *, #anatomy .an-words > *')]
          .filter(each => each.getBoundingClientRect().right > 391).length"""
        assert a.page.evaluate(over) == 0, key


def test_a_model_with_registers_and_without_a_head_goes_through_all_steps(chromium, open_host, tmp_path):
    model = vit.ViT(vit.ViTConfig(image_size=64, width=64, depth=3, heads=1, hidden=64, classes=0, registers=2))
    path = tmp_path / "mine.safetensors"
    save_as_timm(model, path)
    v = Visit(chromium, open_host)
    try:
        old = v.run
        v.page.locator("#model input").fill(str(path))
        v.page.locator("#model input").press("Enter")
        v.wait(old)
        a = Anatomy(v)
        keys = a.keys
        assert len(keys) == 24
        for key in keys:
            a.go(key)
            assert a.page.locator("#anatomy .an-figure > *").count() > 0, key
        a.go("prefix")
        assert "2 registers" in a.text("words")
        assert "[1, 3, 64]" in a.text("shapes")
        assert v.errors == []
    finally:
        v.context.close()
