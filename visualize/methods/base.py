"""What all explanations share: the record in the registry, the class that is explained, and checks of options."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import torch
from torch import Tensor

from vit.model import ViT, ViTOutput

ClassIndex: TypeAlias = int | Tensor | Sequence[int] | None


@dataclass(frozen=True, eq=False)
class Target:
    """The class that a map explains, one for each image, and optionally a rival to hold against it."""

    index: Tensor | None = None  # [B]; None: the model's prediction
    rival: Tensor | None = None  # [B]; None: no rival

    def resolve(self, logits: Tensor) -> "Target":
        """The same target with the prediction filled in from logits [B classes]."""
        index = logits.detach().argmax(dim=-1) if self.index is None else self.index.to(logits.device)
        rival = None if self.rival is None else self.rival.to(logits.device)
        if rival is not None and bool((index == rival).any()):
            raise ValueError("The rival class is the explained class itself: choose two different classes.")
        return replace(self, index=index, rival=rival)

    def of_image(self, i: int) -> "Target":
        """The classes of image `i`, as a target for any number of pictures of it. Call it on a resolved target."""
        assert self.index is not None
        return Target(self.index[i : i + 1], None if self.rival is None else self.rival[i : i + 1])

    def score(self, logits: Tensor) -> Tensor:
        """The number that is explained, for each image: y_c, or y_c − y_rival. Logits [B classes] to [B]."""
        target = self.resolve(logits)
        assert target.index is not None
        score = logits.gather(1, target.index.expand(len(logits))[:, None])[:, 0]
        if target.rival is None:
            return score
        return score - logits.gather(1, target.rival.expand(len(logits))[:, None])[:, 0]


@dataclass(frozen=True)
class Method:
    """One explanation. `run(model, pixels, target, **options)` gives a map [B rows cols] of raw values."""

    name: str
    label: str  # as it stands on the page
    needs_target: bool  # explains one class: needs a model with a head
    paper: str  # source; "" for a baseline
    shows: str  # one plain sentence
    limits: str  # one plain sentence: what it does not show
    run: Callable[..., Tensor]
    gradient: bool = False  # runs with grad mode on
    contrastive: bool = False  # takes `contrast`, a rival class
    slow: bool = False  # many passes through the model, not one or two
    baseline: bool = False  # knows nothing of the image's content

    @property
    def caption(self) -> str:
        """What it shows, then what it does not show."""
        return f"{self.shows} {self.limits}"

    @property
    def options(self) -> dict[str, Any]:
        """Names of the options and their defaults."""
        parameters = inspect.signature(self.run).parameters.values()
        return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}


def classes_of(target: ClassIndex, batch: int, classes: int, what: str = "target") -> Tensor | None:
    """A class index, a tensor of them or None, as a tensor [B] or None.

    Raises ValueError when it is not a whole number, lies outside the model's classes or does not fit the batch.
    """
    if target is None:
        return None
    try:
        index = torch.as_tensor(target)
    except (TypeError, ValueError, RuntimeError):
        index = torch.zeros(0)
    if index.dtype.is_floating_point or index.dtype.is_complex or index.dtype == torch.bool or index.ndim > 1:
        raise ValueError(f"{what} must be a class index, a tensor of {batch} of them, or None, not {target!r}.")
    index = index.long().expand(batch) if index.ndim == 0 or len(index) == 1 else index.long()
    if len(index) != batch:
        raise ValueError(f"{what} names {len(index)} classes for {batch} images.")
    outside = index[(index < 0) | (index >= classes)]
    if len(outside):
        raise ValueError(f"There is no class {int(outside[0])}: this model's classes are 0 to {classes - 1}.")
    return index.clone()  # one made in inference mode could not be used for gradients


def precise(values: Tensor) -> Tensor:
    """The same values in double precision, or in single where the device has nothing better (MPS)."""
    return values.float() if values.device.type == "mps" else values.double()


def logits_of(output: ViTOutput) -> Tensor:
    """Logits [B classes] of a model that has a head; `explain` has refused the others."""
    assert output.logits is not None
    return output.logits


def attention_gradients(model: ViT, pixels: Tensor, target: Target) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Attentions and ∂y_c/∂A of every layer, in matching order, each [B head query key].

    The gradient is asked for by name, so no parameter's `.grad` is ever touched. Images of a batch do not mix:
    the sum over the batch has, for each image, the derivative of its own score alone.
    """
    output = model.trace(pixels)
    gradients = torch.autograd.grad(target.score(logits_of(output)).sum(), output.attentions)
    return tuple(a.detach() for a in output.attentions), gradients


def check_choice(name: str, value: object, allowed: Sequence[str | None]) -> None:
    """Raises ValueError, naming what is allowed, unless `value` is one of `allowed`."""
    if not (value is None or isinstance(value, str)) or value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}, not {value!r}.")


def check_number(name: str, value: object, low: float, high: float, *, closed: bool = True) -> float:
    """`value` as a float; ValueError unless it is a number in [low, high] (or [low, high) when not closed)."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not low <= value <= high or (not closed and value == high):  # type: ignore[operator]
        raise ValueError(f"{name} must be a number in [{low:g}, {high:g}{']' if closed else ')'}, not {value!r}.")
    return float(value)  # type: ignore[arg-type]


def check_whole(name: str, value: object, low: int, high: int) -> int:
    """`value` as an int; ValueError unless it is a whole number in [low, high]."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(f"{name} must be a whole number from {low} to {high}, not {value!r}.")
    return value


def check_layer(layer: object, depth: int, name: str = "layer") -> int:
    """A layer counted from 0; negative ones count from the end. ValueError for a layer that the model lacks."""
    index = check_whole(name, layer, -depth, depth - 1)
    return index % depth
