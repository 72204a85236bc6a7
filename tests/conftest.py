"""Shared by all tests: folders of photos and weights, small models, and a torchvision that imports everywhere."""

import os
from pathlib import Path

import pytest
import torch

# No test reaches the network; libraries that would ask the hub must say so at once. (Before they are imported.)
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

try:
    import torchvision  # noqa: F401
except RuntimeError:
    # A torchvision built for CUDA beside a CPU torch cannot load its compiled operators and then fails to import,
    # though models and transforms need none of them. Declaring the operators that it looks for is enough.
    _torchvision_ops = torch.library.Library("torchvision", "DEF")
    for _name in ("nms", "qnms"):
        _torchvision_ops.define(f"{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

ROOT = Path(__file__).resolve().parents[1]


def _folder(variable: str, beside: str) -> Path | None:
    """A folder named by an environment variable, else the one that lies beside the clone, else None."""
    named = os.environ.get(variable)
    path = Path(named) if named else ROOT.parent / "shared" / beside
    return path if path.is_dir() else None


@pytest.fixture(scope="session")
def photos() -> Path:
    """Folder of labelled photos (labels.csv: file, class_index, …); skips when there is none."""
    path = _folder("VIT_PHOTOS", "data/photos")
    if path is None:
        pytest.skip("no labelled photos: set VIT_PHOTOS to their folder")
    return path


@pytest.fixture(scope="session")
def weights() -> Path:
    """Folder of real weights; skips when there is none."""
    path = _folder("VIT_WEIGHTS", "weights")
    if path is None:
        pytest.skip("no weights: set VIT_WEIGHTS to their folder")
    return path


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)
