"""The engine behind the Explain tab: its numbers are those of `visualize`, and every failure is a sentence."""

import base64
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from visual_models import SIZE, one_thread, tiny  # noqa: F401

import ui.explain.engine as engine
import visualize
import vit
from ui import engine as models
from ui import explain
from ui.settings import Settings
from vit.preprocess import Preprocess

EMBEDDED = vit.available()[0]


def photo(width: int = 60, height: int = 40) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


looks: dict[str, models.Analysis] = {}  # what there is to say about each photo, by its run


@pytest.fixture
def opened(monkeypatch):
    """A photo opened in a tiny model of the kind named; its grid is 2 × 3."""
    checkpoint = vit.checkpoint(EMBEDDED)
    looks.clear()

    def open_with(kind: str = "class", **changes) -> engine.Opened:
        model = tiny(kind, **changes)
        classes = model.config.classes
        labels = tuple(f"class {i}" for i in range(classes))
        fake = vit.Pretrained(model, Preprocess(size=SIZE), labels, checkpoint, ())
        monkeypatch.setattr(models.MODELS, "get", lambda name: fake)
        prepared = fake.preprocess(photo())
        shares = engine.probabilities("tiny", prepared.pixels)
        grid = model.patch_embedding.grid_of(prepared.pixels)
        a = models.Analysis(fake, prepared.image, photo(), prepared.box, (), grid, model.config.prefix, shares)
        o = engine.Opened("tiny", prepared.pixels)
        looks[o.run] = a
        return o

    return open_with


def ask(o: engine.Opened, **asked) -> dict:
    return explain.answer(o, {"serial": 1, "target": None, "rival": None, "seed": 0, **asked})


def decode(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), "<f4").reshape(2, 3)


@pytest.mark.parametrize("name", sorted(visualize.METHODS))
def test_a_map_on_the_page_is_what_visualize_computes(opened, name):
    o = opened()
    got = ask(o, what="map", method=name, target=2)
    model = looks[o.run].pretrained.model
    expected = visualize.explain(model, o.pixels, name, 2)[0].float().numpy()
    np.testing.assert_array_equal(decode(got["map"]), expected)
    assert got["method"] == name
    assert got["serial"] == 1


@pytest.mark.parametrize("name", ["chefer", "rollout", "centre"])
def test_areas_and_curves_are_what_visualize_measures(opened, name):
    o = opened()
    got = ask(o, what="score", method=name, target=1)["score"]
    model = looks[o.run].pretrained.model
    heatmap = visualize.explain(model, o.pixels, name, 1)
    expected = visualize.insertion_deletion(model, o.pixels, heatmap, 1, steps=6)
    assert got["insertion"] == pytest.approx(float(expected.insertion), abs=1e-7)
    assert got["deletion"] == pytest.approx(float(expected.deletion), abs=1e-7)
    np.testing.assert_allclose(got["insertion_curve"], expected.insertion_curve[0], atol=1e-6)
    np.testing.assert_allclose(got["deletion_curve"], expected.deletion_curve[0], atol=1e-6)
    assert got["counts"] == [0, 1, 2, 3, 4, 5, 6]  # six patches: not more steps than patches


def test_a_rival_reaches_the_methods_that_take_one_and_no_other(opened):
    o = opened()
    model = looks[o.run].pretrained.model
    got = decode(ask(o, what="map", method="legrad", target=2, rival=0)["map"])
    expected = visualize.explain(model, o.pixels, "legrad", 2, contrast=0)[0].numpy()
    np.testing.assert_array_equal(got, expected)
    assert not np.array_equal(got, decode(ask(o, what="map", method="legrad", target=2)["map"]))
    plain, given = (decode(ask(o, what="map", method="rollout", target=2, rival=r)["map"]) for r in (None, 0))
    np.testing.assert_array_equal(plain, given)
    assert ("rollout", 0, None, None) in o.maps
    assert len([key for key in o.maps if key[0] == "rollout"]) == 1  # made once for all classes


def test_a_map_of_many_passes_comes_in_pieces_and_is_the_same(opened, monkeypatch):
    monkeypatch.setattr(engine, "PIECE", 4)
    o = opened()
    assert ask(o, what="map", method="occlusion", target=2)["done"] == pytest.approx(4 / 6)
    assert ask(o, what="map", method="occlusion", target=1)["done"] == pytest.approx(4 / 6)  # each class its own
    assert o.maps == {}
    got = ask(o, what="map", method="occlusion", target=2)
    assert "done" not in got
    expected = visualize.explain(looks[o.run].pretrained.model, o.pixels, "occlusion", 2)[0].numpy()
    np.testing.assert_allclose(decode(got["map"]), expected, atol=1e-6)
    assert [key[2] for key in o.begun] == [1]


def test_random_maps_differ_by_seed_and_the_others_do_not(opened):
    o = opened()
    first, second = (decode(ask(o, what="map", method="random", seed=s)["map"]) for s in (0, 1))
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(
        first, visualize.explain(looks[o.run].pretrained.model, o.pixels, "random")[0].numpy()
    )


def test_agreement_and_the_two_checks_are_visualizes(opened):
    o = opened()
    model = looks[o.run].pretrained.model
    names = ["attention", "chefer", "centre"]
    got = ask(o, what="agreement", method="", names=names, target=0)["agreement"]
    maps = {name: visualize.explain(model, o.pixels, name, 0) for name in names}
    np.testing.assert_allclose(got, visualize.agreement(maps), atol=1e-6)
    stable = ask(o, what="stability", method="chefer", target=3)["value"]
    assert stable == pytest.approx(float(visualize.stability(model, o.pixels, "chefer", 3)), abs=1e-6)
    depends = ask(o, what="dependence", method="attention", target=3)["value"]
    assert depends == pytest.approx(float(visualize.model_dependence(model, o.pixels, "attention")), abs=1e-6)


@pytest.mark.parametrize(
    ("kind", "asked", "words"),
    [
        ("class", {"what": "map", "method": "no such"}, "no such method"),
        ("class", {"what": "map", "method": None}, "no such method"),
        ("class", {"what": "sing", "method": "chefer"}, "does not know"),
        ("class", {"what": "score", "method": "chefer"}, "does not know"),
        ("class", {"what": "map", "method": "chefer", "target": 99}, "no class 99"),
        ("class", {"what": "map", "method": "chefer", "target": 1, "rival": 1}, "two different classes"),
        ("class", {"what": "agreement", "method": "", "names": []}, "no such method"),
        ("class_mean", {"what": "map", "method": "class_patches", "target": 1}, "no class of their own"),
        ("headless", {"what": "map", "method": "chefer"}, "no classification head"),
        ("headless", {"what": "score", "method": "rollout", "target": 0}, "no classification head"),
    ],
)
def test_what_cannot_be_answered_is_a_sentence(opened, kind, asked, words):
    got = ask(opened(kind), **asked)
    assert words in got["error"]
    assert not {"map", "score", "agreement", "value"} & set(got)


@pytest.mark.parametrize("kind", ["registers", "mean", "headless", "headless_mean", "distillation", "class_mean"])
def test_every_kind_of_model_has_maps(opened, kind):
    o = opened(kind)
    target = 1 if looks[o.run].pretrained.model.config.classes else None
    for name, method in visualize.METHODS.items():
        got = ask(o, what="map", method=name, target=target)
        refused = (method.needs_target and target is None) or (kind == "class_mean" and name == "class_patches")
        assert ("error" in got) is refused, (name, got)
        if not refused:
            assert np.isfinite(decode(got["map"])).all()


def test_what_the_server_cannot_hold_is_said_and_nothing_else_is_shown(opened, monkeypatch):
    def full(*given):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes.")

    monkeypatch.setattr(engine, "run_method", full)
    got = ask(opened(), what="map", method="chefer", target=0)
    assert "more memory" in got["error"]
    assert "Allocator" not in got["error"]


def test_the_browser_is_sent_pictures_and_facts(opened):
    o = opened()
    sent = explain.Explain(value=None, elem_id="x", render=False).begin(o, looks[o.run])
    assert sent is not None
    assert sent.photo is not None
    assert sent.run == o.run
    facts = json.loads(Path(sent.photo.facts.path).read_text())
    assert facts["classes"] == [f"class {i}" for i in range(4)]
    shares = looks[o.run].probabilities
    assert shares is not None
    np.testing.assert_allclose(facts["probabilities"], shares[0], atol=1e-6)
    assert [m["name"] for m in facts["methods"]] == list(visualize.METHODS)
    assert all(m["limits"] for m in facts["methods"])
    assert facts["manifest"]["grid"] == [2, 3]
    with Image.open(sent.photo.image.path) as crop:
        assert crop.size == (24, 16)
    assert sent.photo.colour == list(np.rint(np.asarray(looks[o.run].image, dtype=float).mean((0, 1))).astype(int))


def test_the_blurred_photo_is_the_one_that_insertion_starts_from(opened):
    o = opened()
    p = looks[o.run].pretrained.preprocess
    shown = torch.from_numpy(np.asarray(engine.blurred(o.pixels, p)).copy()).permute(2, 0, 1)[None] / 255
    mean, std = torch.tensor(p.mean)[:, None, None], torch.tensor(p.std)[:, None, None]
    score = engine.curves("tiny", o.pixels, np.zeros((2, 3), np.float32), 1)
    with torch.no_grad():
        seen = looks[o.run].pretrained.model((shown - mean) / std).softmax(-1)[0, 1]
    assert score["insertion_curve"][0] == pytest.approx(float(seen), abs=2e-3)  # whole levels of 0 … 255
    assert (
        np.asarray(engine.blurred(o.pixels, p), dtype=float).std() < np.asarray(looks[o.run].image, dtype=float).std()
    )


def test_paper_links_lead_to_the_paper_of_the_card():
    links = {name: explain.describe(method)["link"] for name, method in visualize.METHODS.items()}
    assert links["chefer"] == "https://arxiv.org/abs/2103.15679"
    assert links["random"] == ""


def test_opening_a_photo_agrees_with_the_model_and_fits_the_size():
    o, a = explain.open_here(photo(300, 200), EMBEDDED, 112, Settings(device="cpu"))
    assert o.pixels.shape == (1, 3, 112, 112)
    assert a.grid == (8, 8)
    with torch.no_grad():
        expected = a.pretrained.model(o.pixels).softmax(-1)
    assert a.probabilities is not None
    np.testing.assert_allclose(a.probabilities, expected.numpy(), atol=1e-6)
    with pytest.raises(Exception, match="no model named"):
        explain.open_here(photo(), "nobody", 112, Settings(device="cpu"))


def test_what_waits_on_the_server_holds_neither_model_nor_photo():
    """A visitor's state outlives the model's place in memory, and a photo as it came may be very large."""
    o, _ = explain.open_here(photo(300, 200), EMBEDDED, 56, Settings(device="cpu"))
    kept = vars(o).values()
    assert not any(isinstance(each, (Image.Image, torch.nn.Module, vit.Pretrained, models.Analysis)) for each in kept)
