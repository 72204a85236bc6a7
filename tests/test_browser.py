"""The page as a visitor uses it, in real Chromium."""

import numpy as np
import pytest
from browsing import BROWSER, PHOTOS, Visit, save_as_timm

import vit

pytestmark = BROWSER


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
    v.wait("")  # the old photo is shown again, not looked at again
    assert v.run == old
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


def choose(visit: Visit, name: str) -> None:
    visit.page.locator("#model input").fill(name)
    visit.page.locator("#model input").press("Enter")


def test_another_model_keeps_the_photo_and_a_bad_file_keeps_the_model(chromium, open_host, tmp_path):
    config = vit.ViTConfig(image_size=64, width=64, depth=3, heads=1, hidden=64, classes=0, registers=2)
    model = vit.ViT(config)
    path = tmp_path / "mine.safetensors"
    save_as_timm(model, path)
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
