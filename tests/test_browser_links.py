"""Keys, links to what is seen, and what the explorer says while data are missing, in real Chromium."""

import json

import numpy as np
import pytest
from browsing import BROWSER, PHOTOS, Visit
from conftest import running
from large_page import random_layer
from PIL import Image

import vit

pytestmark = BROWSER

CONTRAST = """() => {
  const numbers = (colour) => (colour.match(/[\\d.]+/g) || []).map(Number);
  const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const light = (rgb) => rgb.slice(0, 3).map((v) => linear(v / 255))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = numbers(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const poor = [];
  const all = '#explorer *, #tabs .tab-container button, #title *, #card *, #promise *';
  for (const element of document.querySelectorAll(all)) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    const seen = element.checkVisibility({ visibilityProperty: true, opacityProperty: true });
    if (!own || !seen || element.closest('.ax-hidden')) continue;
    const [a, b] = [light(numbers(getComputedStyle(element).color)), light(ground(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) poor.push(`${element.tagName} ${element.textContent.slice(0, 30)} ${ratio.toFixed(2)}`);
  }
  return poor;
}"""


ELEVEN = "() => document.querySelectorAll('[data-role=arrived] .here').length === 11"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_their_ground(visit, scheme):
    v = visit(color_scheme=scheme)
    v.act("more")
    v.act("matrix")
    v.layer(5)
    v.pin(3, 3)
    v.page.keyboard.press("c")
    v.settle()
    assert v.page.evaluate(CONTRAST) == []


def test_every_control_is_reached_by_tab(visit):
    v = visit()
    v.page.locator("[data-token='0']").focus()
    reached = set()
    for _ in range(60):
        v.page.keyboard.press("Tab")
        name = "e => { const d = document.activeElement.dataset; return d && (d.role || d.act || d.head || d.value); }"
        reached.add(v.page.evaluate(name))
    assert {"picture", "play", "layer", "mean", "0", "5", "attention", "rollout", "from", "to"} <= reached
    assert {"more", "matrix", "keys"} <= reached


def test_keys_walk_play_unpin_and_are_listed(visit):
    v = visit()
    press = v.page.keyboard.press
    press("Shift+ArrowRight")  # from the class token to the middle of the photo; nothing has the focus yet
    v.settle()
    assert v.text("sentence").startswith("The patch in row 9, column 9")
    press("Shift+ArrowUp")
    v.settle()
    assert v.text("sentence").startswith("The patch in row 8, column 9")
    spoken = v.page.locator("[data-role=spoken]")
    assert spoken.get_attribute("aria-live") == "polite"
    assert spoken.text_content() == v.text("sentence")
    press("?")
    keys = v.page.locator("[data-role=keys]")
    assert keys.is_visible()
    assert "Shift" in keys.inner_text()
    press("Escape")
    v.settle()
    assert not keys.is_visible()
    assert v.text("sentence").startswith("The patch in row 8, column 9")  # only the list was closed
    press("Escape")
    v.settle()
    assert v.text("sentence").startswith("The class token")
    press("Space")
    assert v.page.locator("[data-act=play]").get_attribute("aria-pressed") == "true"
    press("Space")
    assert v.page.locator("[data-act=play]").get_attribute("aria-pressed") == "false"


def test_a_link_shows_the_same_again(visit, chromium):
    v = visit()
    old = v.run
    v.page.locator("#examples button").nth(3).click()
    v.wait(old)
    v.layer(9)
    v.page.locator('[data-head="1"]').click()
    v.pin(8, 3)
    v.pick("scale", "percentile")
    v.pick("range", "layer")
    v.page.locator("[data-pick=sinks]").check()
    v.page.locator('[data-value="to"]').click()
    v.page.mouse.move(5, 700)
    v.page.wait_for_function("() => location.search.includes('direction=to')")
    seen = v.pixels()
    link = v.page.url
    words = "example=cat.jpg layer=9 head=2 query=8%2C3%2C16%2C16 scale=percentile range=layer sinks=hidden model="
    for word in words.split():
        assert word in link
    again = Visit(chromium, link)
    try:
        assert again.text("layer-name") == "9 of 12"
        assert again.text("sentence") == v.text("sentence")
        assert again.page.locator('[data-head="1"]').get_attribute("aria-pressed") == "true"
        np.testing.assert_array_equal(again.pixels(), seen)
        assert again.errors == []
    finally:
        again.context.close()


def test_a_link_with_two_queries_and_one_with_nonsense(chromium, page_url):
    two = Visit(chromium, f"{page_url}?query=2,2,16,16&second=7,7,8,8&method=rollout")
    try:
        assert two.text("caption").startswith("The patch in row 2, column 2")
        assert two.text("second-caption").startswith("The patch in row 14, column 14")  # the same place, a finer grid
        assert two.page.locator("[data-value=rollout]").get_attribute("aria-pressed") == "true"
    finally:
        two.context.close()
    odd = Visit(chromium, f"{page_url}?layer=99&head=x&query=40,1,2,2&scale=__proto__&model=no/such&example=../x.jpg")
    try:
        assert odd.text("layer-name") == "12 of 12"
        assert "class token" in odd.text("sentence")
        toasts = " ".join(odd.page.locator("[data-testid=toast-body]").all_inner_texts())
        assert "no model named 'no/such'" in toasts
        assert odd.errors == []
    finally:
        odd.context.close()


def test_a_photo_of_ones_own_cannot_be_in_a_link_and_the_page_says_so(visit, chromium, tmp_path):
    path = tmp_path / "mine.png"
    Image.new("RGB", (64, 64), (30, 120, 60)).save(path)
    v = visit()
    v.upload(str(path))
    v.page.wait_for_function("() => location.search.includes('photo=own')")
    assert "example=" not in v.page.url
    again = Visit(chromium, v.page.url)
    try:
        toast = again.page.locator("[data-testid=toast-body]")
        toast.wait_for()
        assert "not part of the link" in toast.inner_text()
        assert again.answers()
    finally:
        again.context.close()


def test_other_parts_of_the_page_and_the_explorer_follow_each_other(visit):
    v = visit()
    v.page.evaluate(
        """() => document.addEventListener('explorer:choice',
             (event) => { document.body.dataset.said = JSON.stringify(event.detail); })"""
    )
    v.page.locator('[data-head="4"]').click()
    v.settle()
    said = json.loads(v.page.locator("body").get_attribute("data-said") or "{}")
    assert said == {"layer": 11, "head": 4, "query": 0, "from": "explorer"}
    v.page.evaluate(
        """() => document.dispatchEvent(new CustomEvent('explorer:choice',
             { detail: { layer: 2, head: 1, query: 18, from: 'another tab' } }))"""
    )
    v.settle()
    assert v.text("layer-name") == "3 of 12"
    assert v.page.locator('[data-head="1"]').get_attribute("aria-pressed") == "true"
    assert v.text("sentence").startswith("The patch in row 2, column 2")


def test_the_picture_is_saved_as_it_is_seen_at_twice_the_size(visit):
    v = visit()
    v.pin(5, 5)
    v.page.keyboard.press("c")
    v.settle()
    v.pin(12, 4, "second")
    v.act("more")
    v.page.mouse.move(5, 700)
    v.settle()
    for queries in (2, 1):
        side = v.page.locator("[data-role=picture]").evaluate("canvas => canvas.clientWidth")
        with v.page.expect_download() as got:
            v.page.locator("[data-act=png]").click()
        with Image.open(got.value.path()) as picture:
            assert picture.size[0] == queries * 2 * side + 16 * (queries - 1)
            for at, canvas in list(enumerate(("[data-role=picture]", "[data-role=second]")))[:queries]:
                left = at * (2 * side + 16)
                part = picture.convert("RGB").crop((left, 0, left + 2 * side, 2 * side))
                part = part.resize((side, side), Image.Resampling.BOX)
                assert np.abs(np.asarray(part, float) - v.pixels(canvas)).mean() < 4
        v.page.keyboard.press("Escape")
        v.settle()


def test_all_numbers_come_with_what_was_chosen(visit, opening):
    _, output, _ = opening
    v = visit()
    v.layer(7)
    v.act("more")
    with v.page.expect_download(timeout=60_000) as got:
        v.page.locator("[data-act=npz]").click()
    with np.load(got.value.path()) as numbers:
        exact = output.attentions[6][0].numpy()
        np.testing.assert_allclose(numbers["attention_layer_07"], exact, rtol=1e-3, atol=1e-6)
        facts = json.loads(str(numbers["manifest"]))
    assert facts["model"] == vit.available()[0]
    assert facts["options"]["layer"] == 7
    seen = v.numbers()["manifest"]
    assert (seen["photo_sha256"], seen["weights_sha256"]) == (facts["photo_sha256"], facts["weights_sha256"])


def test_layers_are_shown_as_they_arrive_and_an_old_photo_never_stays(visit):
    v = visit()
    held: list = []
    v.page.route("**/layer3.gz", lambda route: held.append(route))
    v.put(PHOTOS[1])
    v.page.wait_for_function(ELEVEN, timeout=30_000)
    assert not v.run  # not complete yet
    v.layer(3)
    assert "Layer 3 is on its way" in v.text("sentence")
    assert v.page.locator("[data-number=weight]").inner_text() == ""
    assert v.pixels('[data-head="0"] canvas').max() == 0  # nothing of the layer before
    grey = v.pixels()
    assert len(held) == 1
    held[0].continue_()
    v.wait("")
    assert "looks most at" in v.text("sentence")
    assert np.abs(v.pixels() - grey).mean() > 1
    v.page.unroute("**/layer3.gz")


@pytest.mark.parametrize(("name", "status", "words"), [("layer12.gz", 403, "let go"), ("layer12.gz", 200, "damaged")])
def test_a_file_that_is_gone_or_broken_is_said(visit, name, status, words):
    v = visit()
    v.page.route(f"**/{name}", lambda route: route.fulfill(status=status, body=b"not gzip"))
    v.put(PHOTOS[1])
    v.page.wait_for_selector('#explorer .ax[data-state="error"]', timeout=30_000)
    assert words in v.text("veil")
    assert not v.page.locator("[data-role=answers]").is_visible()


def test_one_layer_that_is_gone_leaves_the_others(visit):
    v = visit()
    v.page.route("**/layer2.gz", lambda route: route.fulfill(status=403))
    v.put(PHOTOS[1])
    v.page.wait_for_function(ELEVEN, timeout=30_000)
    assert "looks most at" in v.text("sentence")
    v.layer(2)
    v.page.wait_for_function("() => document.querySelector('[data-role=sentence]').textContent.includes('let go')")
    assert v.text("sentence").startswith("Layer 2: ")
    v.layer(4)
    assert "looks most at" in v.text("sentence")


@pytest.fixture(scope="module")
def large_page():
    with running(script="tests/large_page.py") as url:
        yield url


def test_a_large_model_is_opened_within_a_budget_of_bytes(chromium, large_page):
    weights = random_layer()
    v = Visit(chromium, large_page)
    try:
        here = "() => [...document.querySelectorAll('[data-role=arrived] i')].map(i => i.classList.contains('here'))"
        held = v.page.evaluate(here)
        most = 96_000_000 // (17 * 577 * (4 + 577))
        assert sum(held) == most < 24
        assert held[-most:] == [True] * most  # those nearest to the layer in sight
        v.layer(1)
        v.page.wait_for_function("() => document.querySelector('[data-role=sentence]').textContent.includes('looks')")
        v.page.wait_for_function(f"() => ({here})().slice(0, {most}).every(Boolean)", timeout=30_000)
        assert sum(v.page.evaluate(here)) == most
        v.page.locator('[data-head="5"]').click()
        seen = np.ravel(v.numbers()["maps"][0]["map"])
        assert np.abs(seen - weights[5, 0, 1:]).max() <= 1.001 / 255 * weights[5, 0].max()
        v.act("matrix")
        drawn = "() => [...document.querySelectorAll('[data-cell=\"0\"] canvas')].every(c => c.width === 24)"
        v.page.wait_for_function(drawn, timeout=30_000)  # the layers that are not held are fetched for it, one by one
        assert sum(v.page.evaluate(here)) <= most
        assert v.errors == []
    finally:
        v.context.close()
