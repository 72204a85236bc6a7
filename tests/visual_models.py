"""Tiny models of every kind, with all parameters random, for the tests of explanations and pictures."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from vit.config import ViTConfig
from vit.model import ViT

SIZE = 16, 24  # pixels; a grid of 2 rows and 3 columns

KINDS: dict[str, dict] = {
    "class": {},
    "distillation": {"distillation_token": True, "readout": "class_distillation"},
    "registers": {"registers": 2, "layer_scale": 1.0, "norm_before_blocks": True, "mlp": "swiglu"},
    "mean": {"class_token": False, "readout": "mean", "head_norm": "pooled"},
    "mean_tokens": {"readout": "mean"},
    "class_mean": {"readout": "class_mean"},
    "headless": {"classes": 0},
    "headless_mean": {"classes": 0, "class_token": False, "readout": "mean"},
}


def tiny(kind: str = "class", **changes) -> ViT:
    """A model in eval mode whose every parameter is random and large enough for attention to have a pattern."""
    base = {"image_size": SIZE, "patch_size": 8, "width": 24, "depth": 3, "heads": 2, "hidden": 20, "classes": 4}
    model = ViT(ViTConfig(**{**base, **KINDS[kind], **changes})).eval()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            one = 1.0 if parameter.ndim == 1 and "norm.weight" in name else 0.0
            parameter.copy_(one + 0.3 * noise)
    return model


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Models this small only wait for a second thread. Import it where many passes are made."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def images(batch: int = 2, seed: int = 2) -> Tensor:
    return torch.randn(batch, 3, *SIZE, generator=torch.Generator().manual_seed(seed))
