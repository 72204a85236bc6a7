"""The explorer under pointer and keys, in real Chromium."""

import re
from itertools import pairwise

import numpy as np
import pytest
from browsing import BROWSER

import visualize

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
    v.pin(8, 8)
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


def test_view_options_change_the_picture(visit):
    v = visit()
    v.act("more")
    seen = [v.pixels()]
    for name, value in (
        ("colormap", "viridis"),
        ("scale", "percentile"),
        ("scale", "log"),
        ("range", "layer"),
        ("range", "all"),
    ):
        v.pick(name, value)
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


def test_the_browsers_numbers_are_the_models(visit, opening):
    """Within 1/255 of each row's largest weight, heads decoded before they are combined."""
    _, output, _ = opening
    v = visit()
    attentions = [a[0].numpy() for a in output.attentions]
    cases = [("2", 6, (9, 12)), ("mean", 12, (3, 3)), ("max", 4, (16, 16)), ("min", 1, (1, 9))]
    for head, layer, (row, col) in cases:
        v.layer(layer)
        v.page.locator(f'[data-head="{head}"]').click()
        v.pin(row, col)
        saved = v.numbers()
        (one,) = saved["maps"]
        token = 1 + 16 * (row - 1) + col - 1
        assert one["token"] == token
        rows = attentions[layer - 1][:, token]  # [head key]
        exact = rows[int(head)] if head.isdigit() else getattr(np, head)(rows, axis=0)
        largest = rows[int(head)].max() if head.isdigit() else rows.max()
        seen = np.concatenate([list(one["prefix"].values()), np.ravel(one["map"])])
        assert np.abs(seen - exact).max() <= 1.001 / 255 * largest
        assert saved["manifest"]["options"]["layer"] == layer
    v.page.locator('[data-value="to"]').click()
    v.layer(5)
    v.page.locator('[data-head="3"]').click()
    seen = np.ravel(v.numbers()["maps"][0]["map"])
    column = attentions[4][3, 1:, 9]  # who looks at the patch in row 1, column 9, which is still pinned
    assert np.abs(seen - column).max() <= 1.001 / 255 * attentions[4][3].max()


def test_rollout_up_to_the_layer_in_sight(visit, opening):
    _, output, _ = opening
    v = visit()
    v.layer(5)
    v.page.locator("[data-value=rollout]").click()
    v.pin(6, 6)
    flow = visualize.rollout(output.attentions[:5], prefix=1)[0, 1 + 5 * 16 + 5]
    seen = np.ravel(v.numbers()["maps"][0]["map"])
    assert np.abs(seen - flow[1:].numpy()).max() <= 1.001 / 255 * float(flow.max())


def test_two_queries_stand_side_by_side(visit):
    v = visit()
    v.pin(4, 4)
    v.page.keyboard.press("c")
    v.settle()
    assert v.page.locator("[data-role=second]").is_visible()
    v.hover(12, 13, "second")
    one, two = v.numbers()["maps"]
    assert one["query"] == "the patch in row 4, column 4"
    assert two["query"] == "the class token"  # the pointer has left for the button: nothing is pinned yet
    v.pin(12, 13, "second")
    v.page.mouse.move(5, 700)
    v.settle()
    one, two = v.numbers()["maps"]
    assert two["query"] == "the patch in row 12, column 13"
    assert np.abs(v.pixels() - v.pixels("[data-role=second]")).mean() > 1
    assert v.text("caption").startswith("The patch in row 4, column 4")
    assert "row 12, column 13" in v.text("sentence")
    v.page.keyboard.press("Escape")
    v.settle()
    assert not v.page.locator("[data-role=second]").is_visible()
    assert v.text("sentence").startswith("The patch in row 4, column 4")
    v.page.keyboard.press("Escape")
    v.settle()
    assert v.text("sentence").startswith("The class token")


def test_a_click_with_shift_pins_the_second(visit):
    v = visit()
    v.hover(2, 2)
    v.page.keyboard.down("Shift")
    v.page.mouse.down()
    v.page.mouse.up()
    v.page.keyboard.up("Shift")
    v.settle()
    assert v.page.locator("[data-role=second]").is_visible()
    assert [one["query"] for one in v.numbers()["maps"]][1] == "the patch in row 2, column 2"


def test_numbers_of_the_patch_under_the_pointer(visit, opening):
    _, output, _ = opening
    v = visit()
    v.pin(4, 4)
    v.hover(10, 3)
    row = output.attentions[-1][0].mean(0)[1 + 3 * 16 + 3]
    weight = float(row[1 + 9 * 16 + 2])
    read = {name: v.page.locator(f"[data-number={name}]").inner_text() for name in ("row", "column", "even", "rank")}
    assert (read["row"], read["column"]) == ("row 10", "column 3")
    assert float(read["even"].split()[0]) == pytest.approx(257 * weight, abs=0.06 + 257 * float(row.max()) / 255)
    rank = 1 + int((row[1:] > weight).sum())
    assert int(read["rank"].split()[1]) == pytest.approx(rank, abs=6)  # bytes tie neighbours
    assert v.page.locator("[data-number=what]").inner_text() == "under the pointer"


def test_tokens_beside_the_image_are_hovered_like_patches(visit):
    v = visit()
    home = v.pixels()
    v.pin(9, 9)
    pinned = v.pixels()
    v.page.locator('[data-token="0"]').hover()
    v.settle()
    assert v.page.locator("[data-number=row]").inner_text() == "class token"
    v.act("home")
    v.hover(2, 2)
    assert np.abs(v.pixels() - home).mean() > 0.5
    v.page.locator('[data-token="0"]').hover()
    v.settle()
    assert np.abs(v.pixels() - home).max() == 0
    assert np.abs(pinned - home).mean() > 0.5


def test_every_cell_of_all_layers_and_heads_can_be_chosen(visit):
    v = visit()
    asked = len(v.requests)
    v.act("matrix")
    cells = v.page.locator("[data-cell]")
    assert cells.count() == 12 * 8  # six heads, their mean, the rollout
    for layer, head in ((3, "4"), (11, "0"), (7, "mean")):
        v.page.locator(f'[data-row="{layer - 1}"] [data-cell="{head}"]').click()
        v.settle()
        assert v.text("layer-name") == f"{layer} of 12"
        assert v.page.locator(f'[data-head="{head}"]').get_attribute("aria-pressed") == "true"
        cell = v.pixels(f'[data-row="{layer - 1}"] [data-cell="{head}"] canvas')
        strip = v.pixels(f'[data-head="{head}"] canvas')
        assert cell.std() > 5
        np.testing.assert_array_equal(cell, strip)
    v.page.locator('[data-row="4"] [data-cell="rollout"]').click()
    v.settle()
    assert v.page.locator("[data-value=rollout]").get_attribute("aria-pressed") == "true"
    old = v.pixels('[data-row="2"] [data-cell="1"] canvas')
    v.page.locator('[data-role="picture"]').scroll_into_view_if_needed()
    v.hover(4, 14)
    v.page.wait_for_timeout(200)
    assert np.abs(v.pixels('[data-row="2"] [data-cell="1"] canvas') - old).mean() > 1
    assert [u for u in v.requests[asked:] if not u.startswith("data:") and "heartbeat" not in u] == []


def test_sinks_are_left_out_and_the_rest_makes_up_the_whole(visit, opening):
    _, output, _ = opening
    v = visit()
    v.layer(1)
    v.act("more")
    v.page.locator("[data-pick=sinks]").check()
    v.settle()
    mean = output.attentions[0][0].mean(0)
    share = (mean * 257 >= 5).float().mean(0)
    sinks = {int(i) for i in (share >= 0.9).nonzero()}
    assert sinks
    saved = v.numbers()
    assert len(saved["manifest"]["left_out"]) == len(sinks)
    assert f"{len(sinks)} of 257 tokens" in v.text("sinks-note")
    assert "left out" in v.text("sentence")
    seen = np.concatenate([list(saved["maps"][0]["prefix"].values()), np.ravel(saved["maps"][0]["map"])])
    assert {i for i in range(257) if i in sinks and seen[i] == 0} == sinks
    rows = output.attentions[0][0, :, 0].clone()  # [head key]: each head makes up the whole again, then the mean
    rows[:, list(sinks)] = 0
    exact = (rows / rows.sum(1, keepdim=True)).mean(0).numpy()
    assert seen.sum() == pytest.approx(1, abs=1e-3)
    assert np.abs(seen - exact).max() <= 0.02 * exact.max()  # a byte's error grows as the row is spread out again
    before = v.pixels()
    v.page.keyboard.press("h")
    v.settle()
    assert not v.page.locator("[data-pick=sinks]").is_checked()
    assert np.abs(v.pixels() - before).mean() > 0.2


def test_the_colour_bar_says_what_the_colours_mean(visit, opening):
    _, output, _ = opening
    v = visit()
    v.pick("scale", "linear")
    patches = output.attentions[-1][0].mean(0)[0, 1:]
    top = float(patches.max())
    assert float(v.text("scale-high").rstrip("%")) == pytest.approx(100 * top, abs=0.06)
    assert float(v.text("scale-middle").rstrip("%")) == pytest.approx(50 * top, abs=0.06)
    even = v.page.locator("[data-role=ramp]").evaluate("ramp => parseFloat(ramp.style.getPropertyValue('--even'))")
    assert even == pytest.approx(100 / 257 / top, rel=0.02)
    v.pick("range", "all")
    everything = max(float(a[0, :, :, 1:].max()) for a in output.attentions)
    assert float(v.text("scale-high").rstrip("%")) == pytest.approx(100 * everything, abs=0.6)
    v.pick("range", "layer")
    heads = float(output.attentions[-1][0, :, 0, 1:].max())
    assert float(v.text("scale-high").rstrip("%")) == pytest.approx(100 * heads, abs=0.6)
