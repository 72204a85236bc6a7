"""Figures of a model: for every kind of model, as files, without matplotlib's global state."""

import io
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from PIL import Image
from small_models import OPTIONS, tiny

from visualize.plots import ACCENT, INK, depth_figure, figure_bytes, filters_figure, norms_figure, position_figure

KINDS = ["plain", "not square", "grey", "registers", "no class token", "sincos_1d", "sincos_2d", "swiglu"]


def pixels_of(figure) -> np.ndarray:
    with Image.open(io.BytesIO(figure_bytes(figure, "png"))) as picture:
        return np.asarray(picture.convert("RGBA"), dtype=float)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("draw", [filters_figure, position_figure, norms_figure], ids=lambda f: f.__name__)
def test_every_model_has_its_figures(draw, kind):
    shown = pixels_of(draw(tiny(**OPTIONS[kind])))
    assert shown.shape[0] > 300
    assert shown[..., 3].min() == 0  # a transparent background, for light and dark pages
    assert shown[..., :3][shown[..., 3] > 0].std() > 20


@pytest.mark.parametrize("start", ["svg", "png", "pdf"])
def test_files_are_what_they_say(start):
    blob = figure_bytes(norms_figure(tiny()), start)
    if start == "svg":
        assert ElementTree.fromstring(blob).tag.endswith("svg")
        assert INK.encode() in blob
        assert ACCENT.encode() in blob
    else:
        assert blob.startswith({"png": b"\x89PNG", "pdf": b"%PDF"}[start])
    with pytest.raises(ValueError, match="kind must be one of"):
        figure_bytes(norms_figure(tiny()), "gif")


def test_a_dot_per_head_and_the_average_behind():
    values = torch.tensor([[10.0, 30.0], [20.0, 60.0], [5.0, 5.0]])
    axes = depth_figure(values, "pixels", average=values / 2, even=50.0).axes[0]
    clouds = [np.asarray(each.get_offsets()) for each in axes.collections]
    assert clouds[1].tolist() == [[1, 10], [1, 30], [2, 20], [2, 60], [3, 5], [3, 5]]
    np.testing.assert_allclose(clouds[0][:, 1] * 2, clouds[1][:, 1])
    lines = [np.asarray(line.get_ydata(), dtype=float).tolist() for line in axes.lines]
    assert lines == [[10, 20, 2.5], [20, 40, 5], [50, 50]]
    assert axes.get_ylabel() == "pixels"
    assert axes.get_legend() is not None
    assert depth_figure(values, "pixels").axes[0].get_legend() is None


def test_a_large_grid_shows_a_spread_of_its_places():
    axes = position_figure(tiny(), (20, 9)).axes[0]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["1", "4", "7", "11", "14", "17", "20"]
    assert [t.get_text() for t in axes.get_xticklabels()] == ["1", "2", "4", "5", "6", "8", "9"]


def test_nothing_of_pyplot_is_loaded_and_no_setting_is_changed():
    # Asking for the backend would set it.
    program = (
        "import sys, matplotlib, visualize, vit;"
        "now = lambda: {k: matplotlib.rcParams[k] for k in matplotlib.rcParams if k != 'backend'};"
        "before = now();"
        "visualize.figure_bytes(visualize.norms_figure(vit.ViT(vit.ViTConfig(image_size=32, width=24, heads=2, depth=2,"
        "hidden=8))));"
        "print('matplotlib.pyplot' in sys.modules, before == now())"
    )
    root = Path(__file__).resolve().parents[1]
    shown = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True)
    assert shown.stdout.strip() == "False True", shown.stderr
