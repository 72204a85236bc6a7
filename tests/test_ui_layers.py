"""What the tabs of layers and of the model are sent, for models of every kind."""

import gzip
import json
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from PIL import Image
from small_models import OPTIONS, tiny

import visualize
import vit
from ui import engine, layers
from ui import model as model_tab
from ui.layers.engine import MEASURES, look_at_layers
from ui.settings import Settings

EMBEDDED = vit.available()[0]
KINDS = ["plain", "not square", "two heads", "registers", "no class token", "class and mean", "sincos_2d", "swiglu"]


def photo(width: int = 160, height: int = 90) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def opened(data: layers.LayersData) -> dict:
    with open(data.detail.path, "rb") as file:
        return json.loads(gzip.decompress(file.read()))


@pytest.fixture(scope="module")
def view():
    return look_at_layers(photo(), EMBEDDED, 224, extra=[7])


@pytest.fixture(scope="module")
def data(view) -> layers.LayersData:
    sent = layers.LayersPart().postprocess(view)
    assert isinstance(sent, layers.LayersData)
    return sent


@pytest.fixture
def stranger(monkeypatch: pytest.MonkeyPatch):
    """Lets the page know a small random model of the options given."""
    known = engine.MODELS.get(EMBEDDED)

    def make(kind: str, **more) -> vit.Pretrained:
        model = tiny(**(OPTIONS.get(kind, {}) | more))
        c = model.config
        labels = tuple(f"class {i}" for i in range(c.classes))
        fake = vit.Pretrained(model, known.preprocess.resized(c.size), labels, known.checkpoint, known.files)
        monkeypatch.setattr(engine.MODELS, "get", lambda name: fake)
        return fake

    return make


def test_the_numbers_sent_are_those_of_the_model(view, data):
    model = view.pretrained.model
    with torch.no_grad():
        output = model.trace(view.pretrained.preprocess(photo()).pixels)
    s = visualize.head_statistics(output.attentions, model.config, output.grid)
    for name in MEASURES:
        np.testing.assert_allclose(data.measures[name], getattr(s, name)[:, 0], atol=1e-3)
    assert data.tags == [layer[0] for layer in visualize.head_tags(s)]
    detail = opened(data)
    expected = output.attentions[4][0, 2, 0, 1:].numpy()
    np.testing.assert_allclose(np.array(detail["maps"][4][2]) / 1e6, expected, atol=1e-6)
    shares = model.layer_logits(output, "all").softmax(-1)[:, 0, 1:]
    assert detail["says"][11] == shares[11].argmax(-1).tolist()
    assert detail["classes"][0] == 7
    np.testing.assert_allclose(np.array(detail["class_maps"][0][3]) / 1e6, shares[3, :, 7].detach(), atol=2e-6)
    assert detail["final"] == output.logits[0].topk(5).indices.tolist()
    assert set(detail["final"]) < set(detail["classes"])


def test_rollouts_are_with_and_without_the_sinks(view, data):
    model = view.pretrained.model
    with torch.no_grad():
        output = model.trace(view.pretrained.preprocess(photo()).pixels)
    soaking = [s["token"] for s in data.sinks if s["token"] >= 1]
    assert soaking  # noise in, sinks out: this model has them on any photo
    rest = visualize.rollout(visualize.without_tokens([a.mean(1, keepdim=True) for a in output.attentions], soaking))
    for sent, whole in zip(opened(data)["rollouts"], (visualize.rollout(output.attentions), rest), strict=True):
        np.testing.assert_allclose(np.array(sent) / 1e6, whole[0, 0, 1:], atol=2e-6)
    assert all(len(s["received"]) == len(s["norms"]) == 12 for s in data.sinks)


def test_the_average_belongs_to_these_weights_at_this_grid(view, data, stranger):
    assert data.average is not None
    assert data.average["photos"] >= 500
    assert np.array(data.average["distance"]).shape == (12, 6)
    assert layers.average_of(view.pretrained, (10, 10)) is None
    other = stranger("plain")
    assert layers.average_of(other, other.model.config.grid) is None


def test_the_stored_averages_say_what_they_were_made_from():
    for known in layers.averages().values():
        assert len(known["weights_sha256"]) == 64
        distance, entropy = np.array(known["distance"]), np.array(known["entropy"])
        assert distance.shape == entropy.shape
        assert (distance > 0).all()
        assert ((entropy >= 0) & (entropy <= 1)).all()


@pytest.mark.parametrize("kind", [*KINDS, "headless"])
def test_every_kind_of_model_can_be_shown(kind, stranger):
    fake = stranger(kind, **({"classes": 0} if kind == "headless" else {}))
    c = fake.model.config
    view = layers.show(photo(), EMBEDDED, 56, Settings(device="cpu"))
    sent = layers.LayersPart().postprocess(view)
    assert sent is not None
    rows, cols = sent.grid
    detail = opened(sent)
    assert np.array(detail["maps"]).shape == (c.depth, c.heads, rows * cols)
    assert sent.average is None
    per_patch = c.classes > 0 and c.readout != "class_mean"
    assert bool(sent.no_patches) is not per_patch
    if per_patch:
        assert np.array(detail["class_maps"]).shape == (len(detail["classes"]), c.depth, rows * cols)
    names = [s["token"] for s in sent.sinks]
    assert names[: c.prefix] and set(range(c.prefix)) <= set(names) if c.prefix else True
    figures = model_tab.ModelPart().postprocess(model_tab.figures_of(fake, view))
    assert figures is not None
    assert [f.name for f in figures.figures] == [
        "patch-filters",
        "position-similarity",
        "attention-distance",
        "weight-norms",
    ]
    assert f"Total params: {sum(p.numel() for p in fake.model.parameters()):,}" in figures.summary
    for figure in figures.figures:
        assert len(figure.words) == 2
        with open(figure.svg.path, encoding="utf-8") as file:
            text = file.read()
        assert ElementTree.fromstring(text).tag.endswith("svg")
        assert "script" not in text.lower()
        assert any(colour in text for colour in figures.ink)


def test_classes_that_a_model_does_not_have_are_ignored(stranger):
    stranger("plain")
    view = layers.show(photo(), EMBEDDED, 56, Settings(device="cpu"), extra=(5, 900, -1))
    assert view.layers.classes[0] == 5
    assert all(0 <= index < 7 for index in view.layers.classes)


def test_figures_of_a_model_are_drawn_once(stranger, monkeypatch):
    fake = stranger("plain")
    first = model_tab.figures_of(fake)
    monkeypatch.setattr(visualize, "filters_figure", None)  # would fail if it were called again
    assert model_tab.figures_of(fake).figures[0][3] is first.figures[0][3]
    assert [name for name, *_ in first.figures] == ["patch-filters", "position-similarity", "weight-norms"]


def test_nothing_in_and_nothing_out():
    assert layers.LayersPart().postprocess(None) is None
    assert model_tab.ModelPart().postprocess(None) is None
