"""Weights of any public plain ViT: recognised from their keys, translated to our names, loaded strictly."""

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vit.config import Activation, Interpolation, ViTConfig
from vit.convert import jax, timm, torchvision, transformers
from vit.convert.names import Translation
from vit.convert.refused import reason_against
from vit.model import ViT

SOURCES = {"timm": timm, "transformers": transformers, "torchvision": torchvision, "jax": jax}

# What no tensor tells, in words.
_USUAL = {
    "norm_eps": "LayerNorm's epsilon {}",
    "activation": "the activation {}",
    "interpolation": 'positions resized by the rule "{}"',
}


@dataclass(frozen=True, eq=False)
class Converted:
    """A checkpoint under our names, and how its architecture is known."""

    config: ViTConfig
    state_dict: dict[str, Tensor]
    source: str
    assumed: tuple[str, ...]  # sentences: what neither tensors nor keywords told

    def build(self) -> ViT:
        """The model with these weights, in eval mode."""
        with torch.device("meta"):
            model = ViT(self.config)
        model.load_state_dict(self.state_dict, assign=True)
        return model.requires_grad_(True).eval()


def from_state_dict(
    sd: Mapping[str, Tensor],
    *,
    heads: int | None = None,
    image_size: int | tuple[int, int] | None = None,
    norm_eps: float | None = None,
    activation: Activation | None = None,
    interpolation: Interpolation | None = None,
) -> ViT:
    """A `ViT` in eval mode with these weights, in float32 (float64 stays).

    The source is recognised from the keys, the architecture read off the shapes. What they cannot tell comes from
    the keywords, else from the source's own default. Raises ValueError: for a model that is not a plain ViT, with
    the reason; and for missing, extra or misshapen keys, listing them.
    """
    known = {"heads": heads, "norm_eps": norm_eps, "activation": activation, "interpolation": interpolation}
    return convert(sd, image_size=image_size, **known).build()


def convert(
    sd: Mapping[str, Any],
    *,
    heads: int | None = None,
    image_size: int | tuple[int, int] | None = None,
    norm_eps: float | None = None,
    activation: Activation | None = None,
    interpolation: Interpolation | None = None,
) -> Converted:
    """What `from_state_dict` loads, with the source's name and what had to be assumed. Raises the same errors."""
    keys = set(sd)
    if reason := reason_against(keys):
        raise ValueError(reason)
    source = next((name for name, module in SOURCES.items() if module.recognises(keys)), None)
    if source is None:
        some = ", ".join(sorted(keys)[:4]) or "none at all"
        raise ValueError(f"These are not the weights of a Vision Transformer that is known here (keys: {some} …).")
    translation = SOURCES[source].convert({key: _tensor(key, x) for key, x in sd.items()})
    given = {"heads": heads, "norm_eps": norm_eps, "activation": activation, "interpolation": interpolation}
    given = {name: value for name, value in given.items() if value is not None}
    translation.settings |= given
    config, assumed = _read_config(translation, given.keys(), image_size)
    _check(translation, config)
    double = all(x.dtype == torch.float64 for x in translation.tensors.values())
    dtype = torch.float64 if double else torch.float32
    # A copy, so that training this model changes nobody else's tensors.
    own = {name: x.detach().to(dtype, copy=True).contiguous() for name, x in translation.tensors.items()}
    return Converted(config, own, source, assumed)


def _tensor(key: str, x: Any) -> Tensor:
    if isinstance(x, Tensor):
        return x
    if isinstance(x, np.ndarray) and x.dtype.kind == "f":
        return torch.tensor(x)
    raise ValueError(f"{key} is not a tensor of numbers but {type(x).__name__}.")


def _read_config(
    t: Translation, given: Collection[str], image_size: int | tuple[int, int] | None
) -> tuple[ViTConfig, tuple[str, ...]]:
    """The architecture that these shapes belong to, and what had to be assumed."""
    x, settings, assumed = t.tensors, dict(t.settings), []
    block = "encoder_blocks.0."
    needed = ["patch_embedding.projection.weight", f"{block}self_attn.qkv.weight", f"{block}feed_forward.fc1.weight"]
    needed += [f"{block}feed_forward.fc2.weight", "patch_embedding.positions"]
    if absent := t.missing(name for name in needed if name not in x):
        raise ValueError(_listing("These weights are not complete", missing=absent, extra=t.unknown))
    axes = dict.fromkeys([*needed, "classification_head.linear.weight"], 2)
    axes |= {"patch_embedding.projection.weight": 4, "patch_embedding.register_tokens": 3}
    if odd := [f"{t.origin[k]} {list(x[k].shape)}" for k, n in axes.items() if k in x and x[k].ndim != n]:
        raise ValueError(_listing("These weights do not fit a plain Vision Transformer", wrong=odd))
    width, channels, patch, other = x["patch_embedding.projection.weight"].shape
    if patch != other:
        raise ValueError(f"Patches of {patch} × {other} pixels are not supported: they must be square.")
    numbers = {int(m[1]) for name in x if (m := re.match(r"encoder_blocks\.(\d+)\.", name))}
    hidden, outputs = x[f"{block}feed_forward.fc2.weight"].shape[1], x[f"{block}feed_forward.fc1.weight"].shape[0]
    class_token, distillation = "patch_embedding.cls_token" in x, "patch_embedding.dist_token" in x
    registers = x["patch_embedding.register_tokens"].shape[1] if "patch_embedding.register_tokens" in x else 0
    prefix = class_token + distillation + registers
    layouts = [prefix - registers]  # how many prefix tokens may have a position, the usual number first
    if "position_prefix" not in settings:  # this source has models of each kind
        layouts = list(dict.fromkeys([*layouts, prefix, *range(prefix)]))
    size, settings["position_prefix"] = _grid(len(x["patch_embedding.positions"]), patch, prefix, layouts, image_size)
    if image_size is None and (positioned := settings["position_prefix"]) != layouts[0]:
        assumed.append(
            f"The grid of patches is square, with positions for {positioned} of {prefix} prefix tokens, "
            "as nothing says the image's size."
        )
    head = x.get("classification_head.linear.weight")
    if usual := [words.format(settings[name]) for name, words in _USUAL.items() if name not in given]:
        assumed.append(f"{', '.join(usual)}: usual for this source, as nothing says otherwise.")
    if "heads" not in settings:
        settings["heads"] = max(1, width // 64)
        if width % settings["heads"]:
            raise ValueError(f"Nothing says how many heads share the width {width}: say it with heads=.")
        assumed.append(f"{settings['heads']} heads, as nothing says how many (width {width} / 64).")
    if "readout" not in settings:
        settings["readout"] = "class" if class_token else "mean"
        if head is not None and head.shape[1] == 2 * width:
            settings["readout"] = "class_mean"
        elif "classification_head.dist_linear.weight" in x:
            settings["readout"] = "class_distillation"
    if "classification_head.norm.weight" not in x:
        settings["head_norm"] = "none"
    return ViTConfig(
        image_size=size,
        patch_size=patch,
        channels=channels,
        width=width,
        depth=max(numbers) + 1,
        hidden=hidden,
        classes=0 if head is None else head.shape[0],
        class_token=class_token,
        distillation_token=distillation,
        registers=registers,
        mlp="swiglu" if outputs == 2 * hidden else "mlp",
        qkv_bias=f"{block}self_attn.qkv.bias" in x,
        patch_bias="patch_embedding.projection.bias" in x,
        layer_scale=1.0 if f"{block}residual1.scale" in x else None,
        norm_before_blocks="norm.weight" in x,
        **settings,
    ), tuple(assumed)


def _grid(
    positions: int, patch: int, prefix: int, layouts: Sequence[int], image_size: int | tuple[int, int] | None
) -> tuple[int | tuple[int, int], int]:
    """Image size, and how many prefix tokens have a position, from the number of positions."""
    if image_size is not None:
        height, width = (image_size, image_size) if isinstance(image_size, int) else image_size
        rows, cols = height // patch, width // patch
        positioned = positions - rows * cols
        if positioned not in layouts:
            raise ValueError(
                f"An image of {height} × {width} pixels has {rows * cols} patches of {patch} × {patch}, which these "
                f"{positions} positions (with {prefix} prefix tokens) do not fit."
            )
        return (rows * patch if rows == cols else (rows * patch, cols * patch)), positioned
    for positioned in layouts:
        side = math.isqrt(max(0, positions - positioned))
        if side and side * side == positions - positioned:
            return side * patch, positioned
    raise ValueError(
        f"{positions} positions with {prefix} prefix tokens are not a square grid: say the size with image_size=."
    )


def _check(t: Translation, config: ViTConfig) -> None:
    """Every tensor once, of the right shape; else a ValueError that lists what is wrong."""
    with torch.device("meta"):
        expected = ViT(config).state_dict()
    missing = t.missing(dict.fromkeys([*(name for name in expected if name not in t.tensors), *t.gaps]))
    extra = t.unknown + [t.origin[name] for name in t.tensors if name not in expected]
    wrong = [
        f"{t.origin[name]} {list(t.tensors[name].shape)}, expected {list(expected[name].shape)}"
        for name in expected
        if name in t.tensors and t.tensors[name].shape != expected[name].shape
    ]
    if missing or extra or wrong:
        raise ValueError(_listing("These weights do not fit a plain Vision Transformer", missing, extra, wrong))


def _listing(what: str, missing: Sequence[str] = (), extra: Sequence[str] = (), wrong: Sequence[str] = ()) -> str:
    parts = []
    for label, names in (("Missing", missing), ("Not used", extra), ("Of another shape", wrong)):
        if names:
            more = f" and {len(names) - 12} more" if len(names) > 12 else ""
            parts.append(f"{label}: {', '.join(sorted(names)[:12])}{more}.")
    return f"{what}. {' '.join(parts)}"
