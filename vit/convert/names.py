"""From the key names of any source to ours: a table of patterns, then tensors that belong together are joined."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

_BLOCK, _PAIR = re.compile(r"encoder_blocks\.(\d+)\."), re.compile(r"(weight|bias)$")

# Pattern of a whole key, its name here ("" where inference never reads it), and what becomes of the tensor.
Row = tuple[str, str] | tuple[str, str, Callable[[Tensor], Tensor]]


@dataclass
class Translation:
    """A checkpoint under our names. `settings` are what the source fixes and the tensors do not tell."""

    tensors: dict[str, Tensor]
    origin: dict[str, str]  # our name to theirs, for messages
    unknown: list[str] = field(default_factory=list)  # their keys that have no place in a plain ViT
    settings: dict[str, Any] = field(default_factory=dict)  # fields of ViTConfig
    parts: dict[str, str] = field(default_factory=dict)  # like `origin`, for what was joined or is not complete
    gaps: dict[str, list[str]] = field(default_factory=dict)  # what could not be joined: our name to absent parts

    def missing(self, names: Iterable[str]) -> list[str]:
        """What the source would call these absent tensors of ours."""
        return [self._their_name(part) for name in names for part in self.gaps.get(name, [name])]

    def _their_name(self, ours: str) -> str:
        """As told by its like: another block's, or the weight for a bias. Our own name where neither is there."""
        known = self.parts | self.origin
        for wanted in (ours, _PAIR.sub(lambda m: "bias" if m[0] == "weight" else "weight", ours)):
            for name, origin in known.items():
                if _BLOCK.sub("", name) == _BLOCK.sub("", wanted):
                    here, there = _BLOCK.match(name), _BLOCK.match(ours)
                    if here and there:  # a chunk's number may stand before the block's
                        number = rf"((?:^|, ).*?(?:blocks\.\d+\.|[._])){here[1]}(?=[./])"
                        origin = re.sub(number, rf"\g<1>{there[1]}", origin)
                    return origin if wanted == ours else re.sub(r"(weight|bias|kernel)$", ours.split(".")[-1], origin)
        return f"{ours} (our name)"


def translate(sd: Mapping[str, Tensor], table: Sequence[Row], **settings: Any) -> Translation:
    """Rename every key by the first pattern that matches it whole, then join what we keep as one tensor."""
    rows = [(re.compile(row[0]), row[1], row[2] if len(row) == 3 else None) for row in table]
    result = Translation({}, {}, settings=settings)
    for key, tensor in sd.items():
        for pattern, name, change in rows:
            if match := pattern.fullmatch(key):
                ours = match.expand(name)
                if ours in result.tensors:
                    raise ValueError(f"Two keys mean the same tensor: {result.origin[ours]} and {key}.")
                if ours:
                    result.tensors[ours] = _changed(key, tensor, change)
                    result.origin[ours] = key
                break
        else:
            result.unknown.append(key)
    _join(result, r"(.*self_attn\.)(q|k|v)\.(weight|bias)", ("q", "k", "v"), "qkv")
    _join(result, r"(.*feed_forward\.)(gate|value)\.(weight|bias)", ("gate", "value"), "fc1")
    return result


def _changed(key: str, tensor: Tensor, change: Callable[[Tensor], Tensor] | None) -> Tensor:
    try:
        return tensor if change is None else change(tensor)
    except (RuntimeError, IndexError) as error:
        raise ValueError(
            f"{key} has the shape {list(tensor.shape)}, which does not fit a Vision Transformer."
        ) from error


def _join(t: Translation, pattern: str, parts: tuple[str, ...], whole: str) -> None:
    """Concatenate separate parts along the outputs; where one is absent, note the gap."""
    groups = {m.group(1, 3) for name in t.tensors if (m := re.fullmatch(pattern, name))}
    for stem, kind in sorted(groups):
        names = [f"{stem}{part}.{kind}" for part in parts]
        here = [name for name in names if name in t.tensors]
        tensors = [t.tensors.pop(name) for name in here]
        t.parts |= {name: t.origin.pop(name) for name in here}
        if len({x.shape[1:] for x in tensors}) > 1:
            shapes = ", ".join(f"{t.parts[name]} {list(x.shape)}" for name, x in zip(here, tensors, strict=True))
            raise ValueError(f"These tensors belong together but have different shapes: {shapes}.")
        if len(here) == len(parts):
            t.tensors[f"{stem}{whole}.{kind}"] = torch.cat(tensors)
            t.origin[f"{stem}{whole}.{kind}"] = ", ".join(t.parts[name] for name in here)
        else:
            t.gaps[f"{stem}{whole}.{kind}"] = [name for name in names if name not in here]


def strip(sd: Mapping[str, Tensor], *prefixes: str) -> dict[str, Tensor]:
    """Without prefixes such as "module." or "vit.". Raises ValueError where two keys then are the same."""
    result: dict[str, Tensor] = {}
    for key, tensor in sd.items():
        short = key
        for prefix in prefixes:
            short = short.removeprefix(prefix)
        if short in result:
            raise ValueError(f"Two keys mean the same tensor, {short}: these are several models in one.")
        result[short] = tensor
    return result
