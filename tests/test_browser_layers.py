"""The timeline beside the picture and the tabs of layers and of the model, in real Chromium."""

import numpy as np
import pytest
import torch
from browsing import BROWSER, PHOTOS, Visit

import visualize
from visualize.plots import ACCENT

pytestmark = BROWSER
OPEN = "sel => { const e = document.querySelector(sel + ' [data-complete]'); return e && e.dataset.complete; }"


def go(v: Visit, name: str, part: str) -> None:
    """Choose a tab, on a phone from the menu of those that do not fit, and wait until its part is drawn."""
    tab = v.page.get_by_role("tab", name=name, exact=True)
    if not tab.count():
        v.page.locator("#tabs .overflow-menu > button").click()
        tab = v.page.locator("#tabs .overflow-dropdown button", has_text=name)
    tab.click()
    v.page.wait_for_function(OPEN, arg=part, timeout=60_000)


def point(v: Visit, row: int, col: int) -> None:
    """Move the pointer onto a patch of the picture of what patches say; rows and columns count from 1."""
    canvas = v.page.locator("#layers [data-role=patch-picture]")
    box = canvas.bounding_box()
    assert box
    canvas.hover(position={"x": box["width"] * (col - 0.5) / 16, "y": box["height"] * (row - 0.5) / 16})
    v.settle()


def cards(v: Visit) -> list[str]:
    return v.page.locator("#layers .ly-card").evaluate_all("all => all.map(card => card.dataset.at)")


@pytest.fixture(scope="module")
def numbers(opening):
    pretrained, output, shares = opening
    return visualize.head_statistics(output.attentions, pretrained.model.config, output.grid), visualize.course(shares)


def test_the_timeline_says_where_the_answer_came_about(visit, opening, numbers):
    pretrained, _, shares = opening
    course = numbers[1]
    v = visit()
    words = v.text("course")
    assert pretrained.labels[int(shares[-1].argmax())] in words
    assert f"layer {course.settled + 1}" in words
    assert f"{len(course.flips)} times" in words
    assert "probe" in words
    marks = v.page.locator("[data-role=timeline-plot] [data-flip]").evaluate_all("all => all.map(m => +m.dataset.flip)")
    assert marks == list(course.flips)
    assert v.page.locator("[data-role=timeline-plot] [data-mark=settled]").count() == 1


def test_the_timeline_moves_the_layer_and_the_slider_the_timeline(visit):
    v = visit()
    v.page.locator("[data-role=timeline-plot] [data-layer='4']").click()
    v.settle()
    assert v.text("layer-name") == "5 of 12"
    now = v.page.locator("[data-role=timeline-plot] .now")
    assert now.text_content() == "5"
    v.layer(9)
    assert now.text_content() == "9"
    assert v.page.locator("[data-role=timeline-plot] .here").count() == 1


def test_the_token_is_shown_on_request(visit, opening):
    pretrained, output, _ = opening
    with torch.no_grad():
        share = visualize.update_shares(pretrained.model, output)[2, 0].item()
        cosine = visualize.read_out_cosine(pretrained.model, output)[3, 0].item()
    v = visit()
    v.page.locator("[data-set=timeline][data-value=token]").click()
    v.layer(3)
    words = v.text("course")
    assert f"{100 * share:.0f}%" in words
    assert f"{cosine:.2f}".replace("-", "−") in words
    assert v.page.locator("[data-role=timeline-plot] .part").count() == 12
    v.page.locator("[data-set=timeline][data-value=belief]").click()
    v.settle()
    assert v.page.locator("[data-role=timeline-plot] .part").count() == 0


def test_a_card_for_every_head_with_its_tag_and_its_place_in_the_explorer(visit, opening, numbers):
    statistics = numbers[0]
    v = visit()
    go(v, "Layers and heads", "#layers")
    assert cards(v) == [f"{layer}.{head}" for layer in range(12) for head in range(6)]
    tags = v.page.locator("#layers .ly-card").evaluate_all("all => all.map(card => card.dataset.tag)")
    assert tags == [tag for layer in visualize.head_tags(statistics) for tag in layer[0]]
    card = v.page.locator("#layers .ly-card[data-at='3.1']")
    card.hover()
    detail = v.text("head-detail")
    assert "Layer 4, head 2" in detail
    assert f"{statistics.distance[3, 0, 1].item():.0f} px" in detail
    assert f"{statistics.entropy[3, 0, 1].item():.2f}" in detail
    card.click()
    v.page.wait_for_function("() => document.querySelector('[data-role=layer-name]').textContent.startsWith('4 of')")
    assert v.page.get_by_role("tab", name="Explore", exact=True).get_attribute("aria-selected") == "true"
    assert v.page.locator("[data-head='1']").get_attribute("aria-pressed") == "true"
    assert v.page.locator("#layers .ly-card[data-at='3.1']").get_attribute("aria-pressed") == "true"


def test_cards_are_sorted_and_filtered(visit, numbers):
    statistics = numbers[0]
    v = visit()
    go(v, "Layers and heads", "#layers")
    v.page.locator("#layers [data-pick=sort]").select_option("distance -1")
    far = statistics.distance[:, 0].flatten()
    best = int(far.argmax())
    assert cards(v)[0] == f"{best // 6}.{best % 6}"
    assert len(cards(v)) == 72
    first = v.page.locator("#layers .ly-card .ly-value").first.inner_text()
    assert first == f"distance {far[best].item():.0f} px"
    v.page.locator("#layers [data-pick=layer]").select_option(label="3")
    assert sorted(cards(v)) == [f"2.{head}" for head in range(6)]
    v.page.locator("#layers [data-pick=layer]").select_option(label="all")
    v.page.locator("#layers [data-chip=local]").click()
    tags = np.array([layer[0] for layer in visualize.head_tags(statistics)])
    assert len(cards(v)) == (tags == "local").sum() > 0
    assert {int(at.split(".")[0]) for at in cards(v)} == set(np.argwhere(tags == "local")[:, 0].tolist())


def test_the_average_lies_behind_the_photo(visit):
    v = visit()
    go(v, "Layers and heads", "#layers")
    for plot in ("distance", "entropy"):
        assert v.page.locator(f"#layers [data-role={plot}] circle.head").count() == 72
        assert v.page.locator(f"#layers [data-role={plot}] circle.usual").count() == 72
    assert "mean over 500 photos" in v.text("plot-key")


def test_a_patch_says_its_own_class_and_any_class_has_a_map(visit, opening):
    pretrained, output, _ = opening
    said = pretrained.model.layer_logits(output, "all").softmax(-1)[:, 0, 1:]
    v = visit()
    go(v, "Layers and heads", "#layers")
    v.page.locator("#layers [data-panel=patches]").click()
    point(v, 3, 5)
    own = int(said[-1, 2 * 16 + 4].argmax())
    assert f"row 3, column 5 says “{pretrained.labels[own]}”" in v.text("patch-sentence")
    v.page.locator("#layers [data-depth='2']").click()
    point(v, 9, 2)
    own = int(said[2, 8 * 16 + 1].argmax())
    assert f"At layer 3 the patch in row 9, column 2 says “{pretrained.labels[own]}”" in v.text("patch-sentence")
    assert "probe" in v.text("patch-sentence")
    v.page.locator("#layers [data-role=class-search]").fill("zebra")
    v.page.locator("#layers [data-role=class-search]").press("Enter")
    zebra = v.page.locator("#layers [data-role=classes] [aria-pressed=true]")
    v.page.wait_for_function(
        "() => document.querySelector('#layers [data-role=classes] [aria-pressed=true]')?.textContent === 'zebra'"
    )
    assert zebra.count() == 1
    index = pretrained.labels.index("zebra")
    assert v.page.locator("#layers [data-depth='2']").get_attribute("aria-pressed") == "true"  # the layer stays
    v.page.mouse.move(5, 700)
    v.settle()
    place = int(said[2, :, index].argmax())
    assert f"row {place // 16 + 1}, column {place % 16 + 1} says “zebra” loudest" in v.text("patch-sentence")


def test_sinks_are_listed_with_their_layer(visit, opening):
    pretrained, output, _ = opening
    received = visualize.received_attention(output.attentions)[:, 0]
    sinks = visualize.find_sinks(received, visualize.relative_norms(output)[:, 0], pretrained.model.config)
    v = visit()
    go(v, "Layers and heads", "#layers")
    v.page.locator("#layers [data-panel=sinks]").click()
    rows = v.page.locator("#layers [data-sink]")
    assert rows.count() == len(sinks)
    assert "Class token" in rows.first.inner_text()
    cells = rows.nth(1).locator("span").all_inner_texts()
    s = sinks[1]
    assert cells == [f"{s.times:.1f} ×", str(s.peak + 1), str(s.since + 1), f"{s.norm:.1f} ×"]
    assert v.page.locator("#layers [data-role=with]").is_visible()
    assert f"without those {len(sinks) - 1} tokens" in v.text("without-name")


def test_the_tab_follows_the_photo_and_keeps_what_was_chosen(visit):
    v = visit()
    go(v, "Layers and heads", "#layers")
    v.page.locator("#layers [data-pick=sort]").select_option("entropy 1")
    before = v.page.evaluate(OPEN, "#layers")
    v.put(PHOTOS[1])
    v.page.wait_for_function(
        "old => ![undefined, old].includes(document.querySelector('#layers [data-complete]')?.dataset.complete)",
        arg=before,
        timeout=60_000,
    )
    assert v.page.locator("#layers [data-pick=sort]").input_value() == "entropy 1"
    assert len(cards(v)) == 72


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_figures_of_the_model_can_be_read_and_downloaded(visit, scheme):
    v = visit(color_scheme=scheme)
    go(v, "Model", "#model-tab")
    drawn = v.page.locator("#model-tab figure svg")
    assert drawn.count() == 4
    text = drawn.first.evaluate("svg => getComputedStyle(svg).color")
    ground = v.page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    light = [sum(int(float(n)) for n in c[c.index("(") + 1 : -1].split(",")[:3]) for c in (text, ground)]
    assert abs(light[0] - light[1]) > 400
    assert ACCENT not in v.page.locator("#model-tab [data-figure=attention-distance] .md-drawing").inner_html()
    assert "Total params" in v.page.locator("#model-tab [data-role=summary]").inner_text()
    for kind in ("SVG", "PNG"):
        with v.page.expect_download() as got:
            v.page.locator("#model-tab [data-figure=patch-filters]").get_by_text(kind, exact=True).click()
        assert got.value.suggested_filename == f"patch-filters-embedded_small_patch14_224.{kind.lower()}"
        with open(got.value.path(), "rb") as file:
            start = file.read(8)
        assert start.startswith(b"<?xml" if kind == "SVG" else b"\x89PNG")


def test_a_phone_reads_the_tabs_in_one_column(visit):
    v = visit(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    go(v, "Layers and heads", "#layers")
    assert len(cards(v)) == 12
    v.page.locator("#layers [data-role=rest]").click()
    assert len(cards(v)) == 72
    for panel in ("heads", "patches", "sinks"):
        v.page.locator(f"#layers [data-panel={panel}]").click()
        assert v.page.evaluate("() => document.documentElement.scrollWidth") <= 390
    go(v, "Model", "#model-tab")
    assert v.page.evaluate("() => document.documentElement.scrollWidth") <= 390
