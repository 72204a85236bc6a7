"""The Explain tab as a visitor uses it, in real Chromium, with a model so small that a run takes seconds."""

import io
import json
import re

import numpy as np
import pytest
import torch
from browsing import BROWSER, PHOTOS, Visit, save_as_timm
from conftest import running
from PIL import Image

import ui.explain.engine as engine
import visualize
import vit
from vit.images import open_image

pytestmark = BROWSER
DONE = "() => document.querySelector('#explain [data-complete]')"
QUICK = [name for name, m in visualize.METHODS.items() if not m.slow]


def weights_file(path, **changes) -> str:
    """A small random model in timm's layout: 64 pixels, a grid of 4 × 4."""
    size = {"image_size": 64, "patch_size": 16, "width": 64, "depth": 3, "heads": 1, "hidden": 64}
    model = vit.ViT(vit.ViTConfig(**{**size, **changes}))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.copy_(0.15 * torch.randn(parameter.shape, generator=generator))
    return save_as_timm(model, path)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A page that opens with a small model: its address, the model's file, and one of a model without a head."""
    folder = tmp_path_factory.mktemp("weights")
    whole = weights_file(folder / "small.safetensors")
    bare = weights_file(folder / "bare.safetensors", classes=0, registers=2)
    with running("--any-model", "1", "--model", whole) as url:
        yield url, whole, bare


@pytest.fixture(scope="module")
def truth(small):
    """What visualize finds for the first photo: `truth(target, rival)` gives maps and scores by method and seed."""
    pretrained = vit.load(small[1])
    pixels = pretrained.preprocess(open_image(PHOTOS[0])).pixels
    with torch.no_grad():
        chances = pretrained.model(pixels).softmax(-1)[0]

    def find(target: int, rival: int | None = None, names=QUICK):
        maps, scores = {}, {}
        for name in names:
            options = {} if rival is None or not visualize.METHODS[name].contrastive else {"contrast": rival}
            for seed in range(engine.SEEDS if name == "random" else 1):
                more = {"seed": seed} if name == "random" else options
                heatmap = visualize.explain(pretrained.model, pixels, name, target, **more)
                maps[name, seed] = heatmap[0].numpy()
                scores[name, seed] = visualize.insertion_deletion(
                    pretrained.model, pixels, heatmap, target, steps=engine.STEPS
                )
        return maps, scores

    return pretrained, chances, find


class Explained(Visit):
    """A visitor who has opened the tab."""

    def __init__(self, browser, url: str, wait: bool = True, **options) -> None:
        super().__init__(browser, url, **options)
        self.tab("Explain")
        if wait:
            self.done()
        else:
            self.page.wait_for_selector('#explain .ax[data-state="ready"]', timeout=60_000)

    def tab(self, name: str) -> None:
        self.page.get_by_role("tab", name=name).click()

    def done(self) -> None:
        self.page.wait_for_function(DONE, timeout=120_000)
        self.settle()

    def part(self, name: str) -> str:
        return self.page.locator(f"#explain [data-part={name}]").inner_text()

    def says(self, name: str, words: str) -> None:
        """Wait until a part of the page holds these words."""
        self.page.wait_for_selector(f"#explain [data-part={name}]:has-text('{words}')", timeout=120_000)

    def card(self, name: str):
        return self.page.locator(f"[data-method={name}]")

    def front(self, name: str) -> None:
        """Bring a card to the front of the figures."""
        if "first" not in (self.card(name).get_attribute("class") or "").split():
            self.card(name).locator(".ex-face").click()
        self.settle()

    def areas(self, name: str) -> tuple[float, float]:
        first, second = (float(b) for b in self.card(name).locator(".ex-areas b").all_inner_texts())
        return first, second

    def rank(self, name: str) -> int:
        return int(self.card(name).locator(".ex-rank").inner_text().split(" of ")[0])

    def choose(self, field: str, text: str) -> None:
        box = self.page.locator(f"#ex-{field}")
        box.click()
        box.press_sequentially(text)
        box.press("Enter")

    def scrub(self, step: int) -> None:
        slide = "(s, n) => { s.value = n; s.dispatchEvent(new Event('input', { bubbles: true })); }"
        self.page.locator("[data-part=scrub]").evaluate(slide, step)
        self.settle()

    def shown(self, canvas: str = "#explain [data-part=picture]") -> np.ndarray:
        data = self.page.locator(canvas).evaluate("c => c.toDataURL()")
        raw = self.page.evaluate("async url => [...new Uint8Array(await (await fetch(url)).arrayBuffer())]", data)
        return np.asarray(Image.open(io.BytesIO(bytes(raw))).convert("RGB"), dtype=float)


@pytest.fixture
def explained(chromium, small):
    visits = []

    def open_tab(**options) -> Explained:
        visits.append(Explained(chromium, small[0], **options))
        return visits[-1]

    yield open_tab
    for each in visits:
        each.context.close()
        assert each.errors == []


@pytest.fixture(scope="module")
def seen(chromium, small):
    """One visitor whose first photo is measured in full: for tests that only look, choose cards and scrub."""
    visit = Explained(chromium, small[0])
    yield visit
    visit.context.close()
    assert visit.errors == []


def worth(score) -> float:
    return float(score.insertion - score.deletion)


def listed(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def test_every_card_has_its_areas_its_rank_and_its_limits_and_the_line_on_top_is_true(seen, truth):
    pretrained, chances, find = truth
    target = int(chances.argmax())
    _, scores = find(target)
    v = seen
    assert v.page.locator("#ex-class").input_value() == pretrained.labels[target]
    randoms = [scores["random", seed] for seed in range(engine.SEEDS)]
    mean = sum(map(worth, randoms)) / len(randoms)
    values = {name: worth(scores[name, 0]) for name in QUICK} | {"random": mean}
    for name in QUICK:
        insertion, deletion = v.areas(name)
        each = randoms if name == "random" else [scores[name, 0]]
        assert insertion == pytest.approx(np.mean([float(s.insertion) for s in each]), abs=6e-4)
        assert deletion == pytest.approx(np.mean([float(s.deletion) for s in each]), abs=6e-4)
        assert v.rank(name) == 1 + sum(other > values[name] + 1e-6 for other in values.values())
        assert visualize.METHODS[name].limits in v.card(name).locator(".ex-limits").inner_text()
    top = max(map(worth, randoms))
    least = min(map(worth, randoms))
    groups: dict[str, list[str]] = {"both": [], "random": [], "same": [], "worse": []}
    for name in sorted((n for n in QUICK if not visualize.METHODS[n].baseline), key=lambda n: -values[n]):
        beats = ["same", "random", "both"][int(values[name] > top) + (values[name] > max(top, values["centre"]))]
        beats = "worse" if values[name] < least else beats
        groups[beats].append(visualize.METHODS[name].label)
    line = v.part("verdict")
    words = {"both": ("put", "puts"), "random": ("beat", "beats"), "same": ("cannot",) * 2, "worse": ("do", "does")}
    for group, names in groups.items():
        if names:
            assert f"{listed(names)} {words[group][len(names) == 1]} " in line, (line, groups)
    assert ("no map here" in line) is not bool(groups["both"])
    assert ("but not a blob" in line) is bool(groups["random"])
    assert ("cannot be told from the random maps" in line) is bool(groups["same"])
    assert ("worse than every random map" in line) is bool(groups["worse"])
    assert f"all {engine.SEEDS} random maps" in v.part("rule")


def test_cards_stand_as_listed_or_the_best_first(seen):
    v = seen
    cards = "cards => cards.map(card => card.dataset.method)"

    def order() -> list[str]:
        v.settle()
        return v.page.locator("[data-part=quick] .ex-card").evaluate_all(cards)

    assert order() == QUICK
    v.page.get_by_role("button", name="best first").press("Enter")
    ranked = order()
    assert ranked == sorted(QUICK, key=lambda name: (v.rank(name), QUICK.index(name))) != QUICK
    assert v.page.evaluate("document.activeElement.dataset.order") == "rank"
    v.page.get_by_role("button", name="as listed").click()
    assert order() == QUICK


def test_the_maps_that_are_drawn_are_those_of_their_methods(seen, truth):
    _, chances, find = truth
    maps, _ = find(int(chances.argmax()), names=["chefer", "centre"])
    v = seen
    for name in ("chefer", "centre"):
        order = (-maps[name, 0]).flatten().argsort(kind="stable")
        where = f"strongest in row {order[0] // 4 + 1}, column {order[0] % 4 + 1}"
        assert where in (v.card(name).locator(".ex-face").get_attribute("aria-label") or "")
    pictures = [v.shown(f"[data-method={name}] canvas") for name in ("chefer", "legrad", "gradcam")]
    assert np.abs(pictures[0] - pictures[1]).mean() > 2
    assert np.abs(pictures[1] - pictures[2]).mean() > 2


def test_another_class_is_found_by_typing_and_everything_is_about_it(explained, truth):
    pretrained, _, find = truth
    target = pretrained.labels.index("giant panda")
    _, scores = find(target)
    v = explained(wait=False)
    v.choose("class", "tench")  # and another one before the first is measured
    v.choose("class", "giant pan")
    v.done()
    assert v.page.locator("#ex-class").input_value() == "giant panda"
    assert "“giant panda”" in v.part("verdict")
    for name in ("legrad", "rollout", "centre"):
        digits = 6e-4 if float(scores[name, 0].insertion) > 0.0095 else 6e-2 * float(scores[name, 0].insertion)
        assert v.areas(name)[0] == pytest.approx(float(scores[name, 0].insertion), abs=digits)


def test_a_rival_class_changes_only_the_maps_that_take_one(explained):
    v = explained()
    taking, other = v.shown("[data-method=chefer] canvas"), v.shown("[data-method=rollout] canvas")
    v.choose("rival", "tench")
    v.done()
    assert np.abs(v.shown("[data-method=chefer] canvas") - taking).mean() > 0.5
    assert np.abs(v.shown("[data-method=rollout] canvas") - other).max() == 0
    named = v.page.locator("#ex-class").input_value()
    assert f"why “{named}” rather than “tench”; the scores still watch “{named}” alone" in v.part("rule")
    v.card("rollout").locator(".ex-face").click()
    assert "no rival" in v.part("shows")
    v.page.locator("[data-do=no-rival]").click()
    v.done()
    assert v.page.locator("#ex-rival").input_value() == ""
    assert v.page.evaluate("document.activeElement.id") == "ex-rival"
    assert np.abs(v.shown("[data-method=chefer] canvas") - taking).max() == 0


def test_what_was_chosen_stays_while_the_maps_of_another_class_are_on_their_way(explained):
    v = explained()
    v.front("legrad")
    v.front("chefer")
    chosen = "cards => cards.map(card => card.dataset.method)"
    before = v.page.locator("#explain .ex-card.chosen").evaluate_all(chosen)
    v.choose("class", "giant pan")
    v.settle()
    assert v.part("name") == visualize.METHODS["chefer"].label
    assert v.page.locator("#explain .ex-card.chosen").evaluate_all(chosen) == before
    v.done()
    assert v.part("name") == visualize.METHODS["chefer"].label
    assert v.page.locator("#explain .ex-card.chosen").evaluate_all(chosen) == before


def test_a_class_cannot_be_its_own_rival(explained):
    v = explained()
    named = v.page.locator("#ex-class").input_value()
    v.page.locator("#ex-rival").click()
    first = v.page.locator("#ex-rival-list li span").first.inner_text()
    assert first != named
    v.page.locator("#ex-rival").press_sequentially(named)
    assert named not in v.page.locator("#ex-rival-list li span").all_inner_texts()
    v.page.locator("#ex-rival").fill(first)
    v.page.locator("#ex-rival").press("Enter")
    assert v.page.locator("#ex-rival").input_value() == first
    v.page.locator("#ex-class").click()
    assert first not in v.page.locator("#ex-class-list li span").all_inner_texts()


def test_tab_reaches_the_fields_one_after_the_other(seen):
    v = seen
    v.page.locator("#ex-class").focus()
    v.page.keyboard.press("Tab")
    assert v.page.evaluate("document.activeElement.id") == "ex-rival"
    v.page.keyboard.press("Tab")
    assert v.page.evaluate("document.activeElement.dataset.order") == "list"  # "clear" is hidden without a rival


def test_out_of_sight_the_tab_asks_for_nothing(explained):
    v = explained(wait=False)
    v.tab("Explore")
    v.page.wait_for_timeout(2500)  # what was under way ends
    asked = len([url for url in v.requests if "queue/join" in url])
    v.page.wait_for_timeout(1500)
    assert len([url for url in v.requests if "queue/join" in url]) == asked
    assert not v.page.evaluate(DONE)
    v.tab("Explain")
    v.done()
    assert len([url for url in v.requests if "queue/join" in url]) > asked


@pytest.mark.parametrize("view", ["deletion", "insertion"])
def test_the_scrubber_changes_photo_and_probability_without_the_server(seen, truth, view):
    _, chances, find = truth
    _, scores = find(int(chances.argmax()), names=["legrad"])
    curve = getattr(scores["legrad", 0], f"{view}_curve")[0]
    counts = (scores["legrad", 0].shares * 16).round().int().tolist()
    v = seen
    v.front("legrad")
    v.page.locator(f"[data-view={view}]").click()
    v.settle()
    asked = len(v.requests)
    pictures = []
    for step in (0, 5, engine.STEPS):
        v.scrub(step)
        pictures.append(v.shown())
        assert float(v.part("chance").rstrip("%")) == pytest.approx(100 * float(curve[step]), abs=0.051)
        assert v.part("said").startswith(f"{counts[step]} of 16 patches")
    assert np.abs(pictures[0] - pictures[1]).mean() > 1
    assert np.abs(pictures[1] - pictures[2]).mean() > 1
    if view == "deletion":  # at the end one colour is left
        assert pictures[2].std(axis=(0, 1)).max() < 1
    sent = [url for url in v.requests[asked:] if not url.startswith("data:") and "heartbeat" not in url]
    assert sent == []


def test_cards_are_chosen_into_the_figure_and_out_of_it(explained):
    v = explained()
    v.card("chefer").locator(".ex-face").click()
    v.settle()
    assert v.part("name") == visualize.METHODS["chefer"].label
    assert v.page.locator("#explain .curve").count() == 4  # two maps, two panels
    v.card("chefer").locator(".ex-face").click()
    v.settle()
    assert v.page.locator("#explain .curve").count() == 2
    assert v.card("chefer").locator(".ex-face").get_attribute("aria-pressed") == "false"


def test_a_slow_method_is_computed_on_request_and_joins_the_ranking(explained, truth):
    _, chances, find = truth
    _, scores = find(int(chances.argmax()), names=["occlusion"])
    v = explained()
    assert v.card("occlusion").locator(".ex-areas b").count() == 0
    of = int(v.card("chefer").locator(".ex-rank").inner_text().split(" of ")[1])
    v.card("occlusion").locator(".ex-compute").click()
    v.done()
    assert v.areas("occlusion")[0] == pytest.approx(float(scores["occlusion", 0].insertion), abs=6e-4)
    assert v.card("chefer").locator(".ex-rank").inner_text().endswith(f"of {of + 1}")
    v.choose("class", "tench")  # many passes for another class: only when asked again
    v.done()
    assert v.card("occlusion").locator(".ex-compute").is_visible()
    assert v.card("chefer").locator(".ex-rank").inner_text().endswith(f"of {of}")


def test_agreement_and_the_checks_on_request(seen, truth):
    pretrained, chances, find = truth
    target = int(chances.argmax())
    maps, _ = find(target, names=["attention", "rollout"])
    v = seen
    cell = v.page.locator("[data-part=matrix] tr").nth(1).locator("td").nth(1).inner_text()
    expected = visualize.rank_correlation(*(torch.from_numpy(maps[n, 0]) for n in ("attention", "rollout")))
    assert float(cell.replace("−", "-")) == pytest.approx(float(expected), abs=0.0051)
    v.front("chefer")
    v.page.locator("[data-do=stability]").click()
    v.page.locator("[data-do=dependence]").click()
    v.page.wait_for_function(
        "() => document.querySelector('[data-part=checked]').textContent.includes('random numbers')"
    )
    pixels = pretrained.preprocess(open_image(PHOTOS[0])).pixels
    found = [float(n.replace("−", "-")) for n in re.findall(r"correlation (−?[\d.]+\d)", v.part("checked"))]
    measures = (visualize.stability, visualize.model_dependence)
    wanted = [float(m(pretrained.model, pixels, "chefer", target)) for m in measures]
    assert found == pytest.approx(wanted, abs=0.0051)


def test_another_photo_leaves_no_map_of_the_old_one(explained):
    v = explained()
    old = v.page.locator("#explain .ax").get_attribute("data-complete")
    before = v.shown("[data-method=rollout] canvas")
    v.page.evaluate(
        """() => {
          window.seen = [];
          const root = document.querySelector('#explain .ax');
          const note = () => window.seen.push(root.dataset.state);
          new MutationObserver(note).observe(root, { attributeFilter: ['data-state'] });
        }"""
    )
    v.page.locator("#examples button").nth(3).click()
    v.page.wait_for_selector(f"#explain [data-complete]:not([data-complete='{old}'])", timeout=120_000)
    v.settle()
    assert v.page.evaluate("() => window.seen")[0] == "busy"  # the old maps went before the new ones came
    assert np.abs(v.shown("[data-method=rollout] canvas") - before).mean() > 5


def test_without_a_photo_the_tab_says_what_to_do(explained):
    v = explained(wait=False)
    v.page.locator("#photo button").first.click()
    v.page.wait_for_selector('#explain .ax[data-state="empty"]')
    assert "Drop a photo" in v.part("veil")
    assert not v.page.locator(".ex-cards").first.is_visible()


def test_a_model_without_a_head_shows_maps_without_scores_and_says_why(explained, small):
    v = explained(wait=False)
    v.page.locator("#model input").fill(small[2])
    v.page.locator("#model input").press("Enter")
    v.page.wait_for_function(
        "() => /without labels/.test(document.querySelector('#explain [data-part=verdict]').textContent)"
    )
    v.done()
    assert not v.page.locator("#ex-class").is_visible()
    assert v.shown("[data-method=rollout] canvas").std() > 5
    assert "no classification head" in v.card("chefer").locator(".ex-areas").inner_text()
    assert v.page.locator(".ex-areas b").count() == 0
    assert v.page.locator("[data-method=rollout] .ex-rank").inner_text() == ""


def test_numbers_and_picture_can_be_saved(seen, truth):
    pretrained, chances, find = truth
    target = int(chances.argmax())
    maps, scores = find(target, names=["chefer", "random"])
    v = seen
    with v.page.expect_download() as got:
        v.page.locator("[data-do=numbers]").click()
    saved = json.loads(got.value.path().read_text())
    assert saved["manifest"]["grid"] == [4, 4]
    assert saved["watched"] == {"index": target, "name": pretrained.labels[target]}
    by_name = {each["method"]: each for each in saved["maps"]}
    np.testing.assert_allclose(by_name["chefer"]["heatmap"], maps["chefer", 0], rtol=1e-5)
    assert by_name["chefer"]["score"]["insertion"] == pytest.approx(float(scores["chefer", 0].insertion), abs=1e-6)
    seeds = [s["deletion"] for s in by_name["random"]["scores_by_seed"]]
    assert seeds == pytest.approx([float(scores["random", s].deletion) for s in range(engine.SEEDS)], abs=1e-6)
    with v.page.expect_download() as got:
        v.page.locator("[data-do=picture]").click()
    with Image.open(got.value.path()) as picture:
        assert picture.size[0] == 896


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_sees_one_column_without_sideways_scrolling(explained, scheme):
    v = explained(wait=False, viewport={"width": 390, "height": 844}, color_scheme=scheme, has_touch=True)
    assert v.page.evaluate("() => document.documentElement.scrollWidth") <= 390
    v.page.wait_for_selector("[data-method=rollout] .ex-face:enabled", timeout=60_000)
    v.card("rollout").locator(".ex-face").tap()
    v.settle()
    assert v.part("name") == visualize.METHODS["rollout"].label
    box = v.page.locator("#explain [data-part=picture]").bounding_box()
    assert box
    assert box["width"] >= 340


def test_the_tab_works_by_keyboard_and_the_first_screen_holds_what_matters(seen):
    v = seen
    for what in ("#ex-class", "#explain [data-part=picture]", "#explain [data-part=verdict]", "[data-part=scrub]"):
        box = v.page.locator(what).bounding_box()
        assert box
        assert box["y"] + box["height"] <= 720, what
        assert box["x"] + box["width"] <= 1280, what
    v.front("gradcam")
    v.card("legrad").locator(".ex-face").focus()
    v.page.keyboard.press("Enter")
    v.settle()
    assert v.part("name") == visualize.METHODS["legrad"].label
    v.page.locator("[data-view=deletion]").focus()
    v.page.keyboard.press("Space")
    v.page.locator("[data-part=scrub]").focus()
    v.page.keyboard.press("Home")
    v.page.keyboard.press("ArrowRight")
    v.settle()
    assert v.part("said").startswith("1 of 16 patches")
