"""Runs models for the page: loads them once, and turns a photo into plain arrays. Knows nothing of Gradio."""

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

import visualize
import vit

try:  # Spaces' ZeroGPU lends a GPU to the functions that are wrapped by this; elsewhere the package is absent.
    import spaces  # pyright: ignore[reportMissingImports]

    on_gpu = spaces.GPU
except ImportError:

    def on_gpu(function):
        return function


@dataclass(frozen=True, eq=False)
class Analysis:
    """One photo in one model. Layers first to last; planes are the heads, then the rollout up to that layer."""

    pretrained: vit.Pretrained
    image: Image.Image  # the crop that the model saw
    original: Image.Image
    box: tuple[float, float, float, float]  # that crop in the original: left, top, right, bottom
    planes: tuple[NDArray[np.float32], ...]  # depth arrays [heads+1 query key]
    grid: tuple[int, int]
    prefix: int
    probabilities: NDArray[np.float32] | None  # [depth classes], None without a head
    changes: NDArray[np.float32] | None = None  # [2 depth]: the read-out token's cosine with its final state, and
    # attention's share of each layer's change; None where nobody asks

    @property
    def predictions(self) -> dict[str, float]:
        """The five most probable classes and their probabilities; empty for a model without a head."""
        if self.probabilities is None:
            return {}
        best = np.argsort(-self.probabilities[-1], kind="stable")[:5]
        return {self.pretrained.labels[i]: float(self.probabilities[-1][i]) for i in best}


class Models:
    """Loaded models within a memory budget in bytes, least recently used out first.

    Two visitors who ask for the same model load it once.
    """

    def __init__(self, budget: float = 4e9) -> None:
        self.budget = budget
        self._loaded: OrderedDict[str, vit.Pretrained] = OrderedDict()
        self._lock = threading.Lock()
        self._loading: dict[str, threading.Lock] = {}

    def get(self, name: str) -> vit.Pretrained:
        """The model of this name, loaded if need be; raises ValueError with a sentence when that fails."""
        with self._lock:
            if name in self._loaded:
                self._loaded.move_to_end(name)
                return self._loaded[name]
            turn = self._loading.setdefault(name, threading.Lock())
        with turn:
            with self._lock:
                if name in self._loaded:
                    return self._loaded[name]
            pretrained = vit.load(name)
            with self._lock:
                self._loading.pop(name, None)
                self._loaded[name] = pretrained
                while len(self._loaded) > 1 and sum(map(_bytes, self._loaded.values())) > self.budget:
                    self._loaded.popitem(last=False)
            return pretrained


def _bytes(pretrained: vit.Pretrained) -> int:
    return sum(p.numel() * p.element_size() for p in pretrained.model.parameters())


def best_device() -> str:
    """ "cuda" or "mps" where there is one, else "cpu"."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


MODELS = Models()


@on_gpu
def run(
    name: str, pixels: Tensor, device: str = "cpu"
) -> tuple[list[NDArray[np.float32]], NDArray[np.float32] | None, NDArray[np.float32]]:
    """The forward pass of one photo [1 3 H W]: planes per layer [heads+1 query key], probabilities [depth classes],
    changes [2 depth] of the read-out token (its cosine with its final state, attention's share of each change).

    Takes and returns CPU data: on ZeroGPU this function runs in a process of its own.
    """
    model = MODELS.get(name).model.to(device)
    with torch.no_grad():
        output = model.trace(pixels.to(device))
        flows = visualize.rollout_by_layer(output.attentions, prefix=output.prefix)
        planes = [
            torch.cat([attention, flow[:, None]], dim=1)[0].float().cpu().numpy()
            for attention, flow in zip(output.attentions, flows, strict=True)
        ]
        cosine, shares = visualize.read_out_cosine(model, output)[1:], visualize.update_shares(model, output)
        changes = torch.stack([cosine, shares])[..., 0].float().cpu().numpy()
        if output.logits is None:
            return planes, None, changes
        return planes, visualize.layer_probabilities(model, output)[:, 0].float().cpu().numpy(), changes


@on_gpu
def run_method(
    name: str, pixels: Tensor, method: str, target: int | None, options: dict, device: str = "cpu"
) -> tuple[NDArray[np.float32], int | None]:
    """One explanation of one photo [1 3 H W]: the map [rows cols], and the class that it explains. CPU data."""
    model = MODELS.get(name).model.to(device)
    pixels = pixels.to(device)
    heatmap = visualize.explain(model, pixels, method, target, **options)[0].detach().float().cpu().numpy()
    if target is None and model.config.classes:
        with torch.no_grad():
            target = int(model(pixels).argmax())
    return heatmap, target


def analyse(image: Image.Image, name: str, device: str = "cpu", side: int | None = None) -> Analysis:
    """Everything that the explorer shows of an RGB image in this model, at `side` pixels or the model's own size.

    Raises ValueError with a sentence.
    """
    pretrained = MODELS.get(name)
    preprocess = pretrained.preprocess if side is None else pretrained.preprocess.resized(side)
    prepared = preprocess(image)
    planes, probabilities, changes = run(name, prepared.pixels, device)
    config = pretrained.model.config
    size = prepared.pixels.shape[-2] // config.patch_size, prepared.pixels.shape[-1] // config.patch_size
    seen = prepared.image, image, prepared.box
    return Analysis(pretrained, *seen, tuple(planes), size, config.prefix, probabilities, changes)


def fingerprint(image: Image.Image) -> str:
    """SHA-256 of an image's pixels, so that an export can say which photo it is about without containing it."""
    return hashlib.sha256(image.tobytes()).hexdigest()
