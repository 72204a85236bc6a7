"""Baseline: noise. A method that does not beat it explains nothing."""

import torch
from torch import Tensor

from visualize.methods.base import Method, Target, check_whole
from vit.model import ViT


def run(model: ViT, pixels: Tensor, target: Target, *, seed: int = 0) -> Tensor:
    """Independent uniform numbers in [0, 1) from `seed`, the same for every image of the batch: [B rows cols]."""
    generator = torch.Generator().manual_seed(check_whole("seed", seed, 0, 2**63 - 1))
    rows, cols = model.patch_embedding.grid_of(pixels)
    noise = torch.rand(rows, cols, generator=generator, dtype=torch.float64)
    return noise.to(pixels.dtype).to(pixels.device).expand(len(pixels), -1, -1).clone()


METHOD = Method(
    name="random",
    label="Random",
    needs_target=False,
    paper="",
    shows="Noise from a fixed seed, as a baseline.",
    limits="It shows nothing about the photo or the model: other maps must score better than this one.",
    run=run,
    baseline=True,
)
