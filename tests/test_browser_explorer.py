"""The explorer under pointer and keys, in real Chromium."""

import json
import re
from itertools import pairwise

import numpy as np
import pytest
from browsing import BROWSER
from PIL import Image

import vit

pytestmark = BROWSER


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
