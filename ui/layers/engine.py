"""Runs a model for the tab of layers and heads: one traced pass, everything else computed from what it returned."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

import visualize
import vit
from ui.engine import MODELS, on_gpu
from visualize.tokens import read_out_row
from vit.config import ViTConfig
from vit.model import ViT, ViTOutput

MEASURES = ("distance", "entropy", "class_token", "registers", "itself", "locality", "sinks", "positional")


@dataclass(frozen=True, eq=False)
class Layers:
    """One photo in one model, layer by layer: plain arrays on the CPU."""

    measures: dict[str, NDArray[np.float32]]  # each of MEASURES [depth head]
    offsets: NDArray[np.int64]  # [depth head 2], the commonest offset in patches: down, right
    tags: list[list[str]]  # [depth][head]
    even: float  # distance of even attention in pixels
    maps: NDArray[np.float32]  # [depth head patches], the read-out row of each head
    received: NDArray[np.float32]  # [depth tokens], in even shares
    norms: NDArray[np.float32]  # [depth tokens], over the median
    sinks: list[visualize.Sink]
    rollouts: NDArray[np.float32]  # [2 patches]: the read-out row of rollout, as it is and without the sinks
    final: list[int]  # the most probable classes, best first; empty without a head
    says: NDArray[np.int64] | None  # [depth patches], each patch's own class; None where patches have none
    sure: NDArray[np.float32] | None  # [depth patches], its probability
    classes: list[int]  # the classes that have a map
    class_maps: NDArray[np.float32] | None  # [depth class patches], probability of each


def describe(model: ViT, output: ViTOutput, extra: Sequence[int] = (), most: int = 5) -> Layers:
    """All that the tab shows of one traced photo. `extra` are classes that get a map besides the `most` likely ones."""
    c = model.config
    statistics = visualize.head_statistics(output.attentions, c, output.grid)
    maps = torch.stack([read_out_row(attention[0], c)[:, output.prefix :] for attention in output.attentions])
    fused = [attention.mean(dim=1, keepdim=True) for attention in output.attentions]
    received = visualize.received_attention(fused)[:, 0]
    norms = visualize.relative_norms(output)[:, 0]
    sinks = visualize.find_sinks(received, norms, c)
    soaking = [s.token for s in sinks if s.token >= c.prefix - c.registers]
    flows = [visualize.rollout_row(fused, c, without=tokens)[0, output.prefix :] for tokens in ([], soaking)]
    final, classes, patches = [], [], None
    if output.logits is not None:
        final = output.logits[0].topk(min(most, c.classes)).indices.tolist()
        if c.readout != "class_mean":
            classes = list(dict.fromkeys([*extra, *final]))
            patches = visualize.patch_predictions(model, output, classes)
    return Layers(
        {name: _plain(getattr(statistics, name)[:, 0]) for name in MEASURES},
        statistics.offset[:, 0].cpu().numpy(),
        [layer[0] for layer in visualize.head_tags(statistics)],
        statistics.uniform_distance,
        _plain(maps),
        _plain(received),
        _plain(norms),
        sinks,
        _plain(torch.stack(flows)),
        final,
        None if patches is None else patches.best[:, 0].flatten(1).cpu().numpy(),
        None if patches is None else _plain(patches.probability[:, 0].flatten(1)),
        classes,
        None if patches is None else _plain(patches.maps[:, 0].flatten(2)),
    )


def _plain(values: Tensor) -> NDArray[np.float32]:
    return values.float().cpu().numpy()


@on_gpu
def run_layers(name: str, pixels: Tensor, extra: Sequence[int] = (), device: str = "cpu") -> Layers:
    """`describe` for one photo [1 3 H W] in the model of this name. CPU data."""
    model = MODELS.get(name).model.to(device)
    with torch.no_grad():
        return describe(model, model.trace(pixels.to(device)), extra)


@dataclass(frozen=True, eq=False)
class LayersView:
    """What the tab's part is given: the numbers, and what they are about."""

    layers: Layers
    pretrained: vit.Pretrained
    image: Image.Image  # the crop that the model saw
    grid: tuple[int, int]

    @property
    def config(self) -> ViTConfig:
        return self.pretrained.model.config


def look_at_layers(
    image: Image.Image, name: str, side: int, extra: Sequence[int] = (), device: str = "cpu"
) -> LayersView:
    """The view of an RGB image at `side` pixels. Raises ValueError with a sentence."""
    pretrained = MODELS.get(name)
    prepared = pretrained.preprocess.resized(side)(image)
    patch = pretrained.model.config.patch_size
    grid = prepared.pixels.shape[-2] // patch, prepared.pixels.shape[-1] // patch
    extra = [index for index in extra if 0 <= index < pretrained.model.config.classes]
    return LayersView(run_layers(name, prepared.pixels, extra, device), pretrained, prepared.image, grid)
