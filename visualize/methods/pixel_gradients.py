"""What gradients of the pixels share: ∂y_c/∂pixels of many pictures, a few at a time, and sums over patches."""

from collections.abc import Iterable

import torch
from torch import Tensor

from visualize.methods.base import Target, check_choice
from vit.model import ViT

BASELINES = ("mean", "zero")


def baseline_like(pixels: Tensor, kind: str) -> Tensor:
    """A photo without content: each image's own mean colour, or 0 (the training set's mean): [B C 1 1]."""
    check_choice("baseline", kind, BASELINES)
    mean = pixels.mean(dim=(2, 3), keepdim=True)
    return mean if kind == "mean" else torch.zeros_like(mean)


def mean_gradient(model: ViT, pictures: Iterable[Tensor], target: Target) -> Tensor:
    """Mean over pictures (each a whole batch [B C H W]) of ∂y_c/∂pixels: [B C H W]. One batch in memory at a time."""
    total, count = None, 0
    for picture in pictures:
        x = picture.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(target.score(model(x)).sum(), x)
        total, count = (gradient if total is None else total + gradient), count + 1
    assert total is not None
    return total / count
