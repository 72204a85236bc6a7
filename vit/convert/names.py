"""From the key names of any source to ours: a table of patterns, then tensors that belong together are joined."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

# Pattern of a whole key, its name here ("" where inference never reads it), and what becomes of the tensor.
Row = tuple[str, str] | tuple[str, str, Callable[[Tensor], Tensor]]


@dataclass
class Translation:
    """A checkpoint under our names. `settings` are what the source fixes and the tensors do not tell."""

    tensors: dict[str, Tensor]
    origin: dict[str, str]  # our name to theirs, for messages
    unknown: list[str] = field(default_factory=list)  # their keys that have no place in a plain ViT
    settings: dict[str, Any] = field(default_factory=dict)  # fields of ViTConfig


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
                    result.tensors[ours] = tensor if change is None else change(tensor)
                    result.origin[ours] = key
                break
        else:
            result.unknown.append(key)
    _join(result, r"(.*self_attn\.)(q|k|v)\.(weight|bias)", ("q", "k", "v"), "qkv")
    _join(result, r"(.*feed_forward\.)(gate|value)\.(weight|bias)", ("gate", "value"), "fc1")
    return result


def _join(t: Translation, pattern: str, parts: tuple[str, ...], whole: str) -> None:
    """Concatenate separate parts along the outputs; a part that is missing stays visible as unknown."""
    groups = {m.group(1, 3) for name in t.tensors if (m := re.fullmatch(pattern, name))}
    for stem, kind in sorted(groups):
        names = [f"{stem}{part}.{kind}" for part in parts]
        here = [name for name in names if name in t.tensors]
        origin = [t.origin.pop(name) for name in here]
        tensors = [t.tensors.pop(name) for name in here]
        if len(here) == len(parts):
            t.tensors[f"{stem}{whole}.{kind}"] = torch.cat(tensors)
            t.origin[f"{stem}{whole}.{kind}"] = ", ".join(origin)
        else:
            t.unknown += origin


def strip(sd: Mapping[str, Tensor], *prefixes: str) -> dict[str, Tensor]:
    """Without a prefix such as "module." or "vit." wherever it stands in front."""
    result = {}
    for key, tensor in sd.items():
        for prefix in prefixes:
            key = key.removeprefix(prefix)
        result[key] = tensor
    return result
