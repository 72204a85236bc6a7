"""From a photo to plain arrays, and the models that are kept for it."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
from conftest import ROOT
from PIL import Image

import vit
from ui import engine
from vit import ViT, ViTConfig

EMBEDDED = vit.available()[0]


class Fake:
    """Stands in for a loaded model of a known size."""

    def __init__(self, numbers: int) -> None:
        self.model = torch.nn.Linear(numbers, 1, bias=False)


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names that were really loaded, in order; loading takes a moment."""
    seen: list[str] = []

    def load(name: str) -> Fake:
        seen.append(name)
        threading.Event().wait(0.05)
        return Fake(100)

    monkeypatch.setattr(engine.vit, "load", load)
    return seen


def test_a_model_is_loaded_once_for_visitors_who_ask_at_the_same_time(loads):
    models, got = engine.Models(), []
    threads = [threading.Thread(target=lambda: got.append(models.get("a"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert loads == ["a"]
    assert len(got) == 8
    assert len({id(model) for model in got}) == 1


def test_the_least_recently_used_model_leaves_first(loads):
    models = engine.Models(budget=2 * 100 * 4)
    for name in ("a", "b", "a", "c"):  # c does not fit beside a and b; b was used longest ago
        models.get(name)
    assert loads == ["a", "b", "c"]
    models.get("a")
    assert loads == ["a", "b", "c"]
    models.get("b")
    assert loads == ["a", "b", "c", "b"]


def test_a_model_larger_than_the_budget_still_serves(loads):
    models = engine.Models(budget=1)
    assert models.get("a") is models.get("a")


def test_a_failed_load_is_tried_again(monkeypatch):
    calls = []

    def load(name):
        calls.append(name)
        if len(calls) == 1:
            raise ValueError("no network")
        return Fake(1)

    monkeypatch.setattr(engine.vit, "load", load)
    models = engine.Models()
    with pytest.raises(ValueError, match="no network"):
        models.get("a")
    assert models.get("a")


def photo(width: int = 320, height: int = 240) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def test_analysis_of_a_photo_agrees_with_the_model():
    a = engine.analyse(photo(), EMBEDDED)
    model = a.pretrained.model
    with torch.no_grad():
        pixels = a.pretrained.preprocess(photo()).pixels
        output = model.trace(pixels)
    tokens = a.prefix + a.grid[0] * a.grid[1]
    assert len(a.planes) == model.config.depth
    assert all(p.shape == (model.config.heads + 1, tokens, tokens) for p in a.planes)
    for planes, attention in zip(a.planes, output.attentions, strict=True):
        np.testing.assert_allclose(planes[:-1], attention[0].numpy(), atol=1e-6)
        np.testing.assert_allclose(planes.sum(-1), 1, atol=1e-4)
    assert a.probabilities is not None
    np.testing.assert_allclose(a.probabilities[-1], model(pixels).softmax(-1)[0].detach().numpy(), atol=1e-5)
    assert list(a.predictions.values()) == sorted(a.predictions.values(), reverse=True)
    assert len(a.predictions) == 5


def test_a_model_without_a_head_gives_attention_and_no_predictions(monkeypatch):
    config = ViTConfig(image_size=32, patch_size=16, width=48, depth=2, heads=3, hidden=96, classes=0, registers=2)
    bare = ViT(config).eval()
    known = engine.MODELS.get(EMBEDDED)
    fake = vit.Pretrained(bare, known.preprocess.resized(32), (), known.checkpoint, ())
    monkeypatch.setattr(engine.MODELS, "get", lambda name: fake)
    a = engine.analyse(photo(), "bare")
    assert a.predictions == {}
    assert a.probabilities is None
    assert a.prefix == 3
    assert a.planes[0].shape == (4, 7, 7)


def test_fingerprint_tells_photos_apart_and_is_stable():
    assert engine.fingerprint(photo()) == engine.fingerprint(photo())
    assert engine.fingerprint(photo()) != engine.fingerprint(photo(321))


def test_on_zerogpu_exactly_the_functions_that_run_the_model_are_wrapped(tmp_path):
    """With Spaces' package at hand, its decorator goes around them; elsewhere nothing changes."""
    (tmp_path / "spaces.py").write_text("wrapped = []\ndef GPU(f):\n    wrapped.append(f.__name__)\n    return f\n")
    program = "import spaces, ui.engine; print(spaces.wrapped)"
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    shown = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True
    )
    assert shown.stdout.strip() == "['run', 'run_method']", shown.stderr
