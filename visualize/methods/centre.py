"""Baseline: photographers put things in the middle."""

import torch
from torch import Tensor

from visualize.methods.base import Method, Target, check_number
from vit.model import ViT


def run(model: ViT, pixels: Tensor, target: Target, *, sigma: float = 0.25) -> Tensor:
    """A Gaussian blob in the middle, 1 at its peak: [B rows cols]. `sigma` is a share of the shorter side."""
    check_number("sigma", sigma, 1e-3, 100)
    rows, cols = model.patch_embedding.grid_of(pixels)
    y = torch.arange(rows, dtype=torch.float64) - (rows - 1) / 2
    x = torch.arange(cols, dtype=torch.float64) - (cols - 1) / 2
    squared = (y[:, None] ** 2 + x[None, :] ** 2) / (sigma * min(rows, cols)) ** 2
    return (-squared / 2).exp().to(pixels.dtype).to(pixels.device).expand(len(pixels), -1, -1).clone()


METHOD = Method(
    name="centre",
    label="Centre",
    needs_target=False,
    paper="",
    shows="A blob in the middle of the photo, as a baseline.",
    limits="It shows nothing about this photo or the model: other maps must score better than this one.",
    run=run,
    baseline=True,
)
