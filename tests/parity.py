"""Comparing a converted model with its reference: used by the parity tests."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from vit.model import ViT

Model = TypeVar("Model", bound=nn.Module)
Reference = Callable[[Tensor], tuple[Tensor | None, Sequence[Tensor]]]  # pixels to logits and attentions


def randomise(model: Model) -> Model:
    """Random numbers in every parameter, also where training starts at zero or one: else parity hides mistakes."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.2)
        for module in model.modules():
            if isinstance(module, nn.LayerNorm):
                module.weight.add_(1)
    return model.eval()


def recorded(modules: Sequence[nn.Module], run: Callable[[], Tensor]) -> tuple[Tensor, list[Tensor]]:
    """The result of `run`, and what each of these modules put out meanwhile."""
    seen: list[Any] = []
    hooks = [m.register_forward_hook(lambda _module, _inputs, output: seen.append(output)) for m in modules]
    try:
        result = run()
    finally:
        for hook in hooks:
            hook.remove()
    return result, seen


@torch.no_grad()
def check(ours: ViT, reference: Reference, sizes: Sequence[tuple[int, int]], batch: int = 2) -> None:
    """Logits within 1e-4 of the largest, every layer's attention within 1e-5, for images of each (height, width)."""
    for height, width in sizes:
        pixels = torch.randn(batch, ours.config.channels, height, width)
        logits, attentions = reference(pixels)
        output = ours.trace(pixels)
        assert len(output.attentions) == len(attentions) == ours.config.depth
        for layer, (mine, theirs) in enumerate(zip(output.attentions, attentions, strict=True)):
            assert theirs.std(dim=-1).max() > 0.01, "uniform attention would hide mistakes"
            torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=0, msg=lambda m, i=layer: f"layer {i}: {m}")
        if logits is None:
            assert output.logits is None
        else:
            for mine in (output.logits, ours(pixels)):
                torch.testing.assert_close(mine, logits, atol=1e-4 * logits.abs().max().item(), rtol=0)
