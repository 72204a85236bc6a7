"""What the settings files beside a checkpoint say: config.json of timm and transformers, preprocessor_config.json."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vit.config import Activation, Interpolation
from vit.preprocess import IMAGENET_MEAN, IMAGENET_STD, Preprocess, Resampling

_ACTIVATIONS: dict[str, Activation] = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_tanh": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "quick_gelu": "quick_gelu",
    "relu": "relu",
}
_RESAMPLINGS: dict[int, Resampling] = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}  # Pillow's numbers

# How transformers resizes positions, by model type.
_TRANSFORMERS: dict[str, Interpolation] = {
    "vit": "bicubic",
    "vit_mae": "bicubic",
    "vit_msn": "bicubic",
    "deit": "bicubic",
    "ijepa": "bicubic",
    "dinov2": "bicubic",
    "dinov2_with_registers": "antialias",
    "clip_vision_model": "bicubic",
    "clip": "bicubic",
}

# Words in the name of an architecture, and why it is not read. The first that matches counts.
_REFUSED = (
    (r"dinov3|eva02|^eva_|rope", "uses rotary positions"),
    (r"siglip|so400m|_map_", "pools its patches by attention"),
    (
        r"swin|pvt|mvit|hiera|pit_|cait|levit|coat|twins|maxvit|segformer|beit|sam_?vit|vitdet",
        "is another architecture",
    ),
    (r"resnet|_r\d+_|_r_|convnext|conv|bit_|mobile|efficient|regnet|hybrid", "is (partly) a convolutional network"),
    (r"relpos|rpn|parallel|xp_|pwee|dlittle|naflex", "changes the block itself"),
    (r"bert|gpt|llama|t5|roberta|text", "reads text"),
)

# timm's largest sizes have 16 heads whatever their width, DINOv2's excepted; all others 64 numbers per head.
_SIXTEEN_HEADS = re.compile(r"_(huge|giant|gigantic)_(?!.*dinov2)")


@dataclass(frozen=True)
class Settings:
    """What is known of a checkpoint besides its tensors; None means that no file says it."""

    heads: int | None = None
    image_size: int | tuple[int, int] | None = None
    norm_eps: float | None = None
    activation: Activation | None = None
    interpolation: Interpolation | None = None
    averages: bool = False  # the head reads the patches' mean, which a class token's presence would hide
    preprocess: Preprocess | None = None
    labels: tuple[str, ...] | None = None
    licence: str = ""
    architecture: str = ""  # timm's name, or transformers' model type
    source: str = ""  # "timm" or "transformers"
    assumed: tuple[str, ...] = field(default=())


def read_json(file: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises ValueError with a sentence when there is none."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{file.name} cannot be read: it is not valid JSON.") from error
    if not isinstance(content, dict):
        raise ValueError(f"{file.name} does not contain settings by name.")
    return content


def read_settings(config: Mapping[str, Any], preprocessor: Mapping[str, Any] | None = None) -> Settings:
    """Settings from a parsed config.json, of timm or of transformers, and a parsed preprocessor_config.json.

    Raises ValueError with the reason for an architecture that is not a plain Vision Transformer, for values that
    cannot be understood, and for a file that is neither timm's nor transformers'.
    """
    try:
        if "pretrained_cfg" in config or "architecture" in config:
            return _timm(config)
        if "model_type" in config:
            return _transformers(config, preprocessor)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"config.json cannot be understood: {error}.") from error
    raise ValueError("config.json names neither a timm architecture nor a transformers model type.")


def refusal(architecture: str) -> str | None:
    """Why a model of this name is not a plain Vision Transformer; None if nothing in the name says so."""
    for pattern, reason in _REFUSED:
        if re.search(pattern, architecture.lower()):
            return f"{architecture} {reason}: only plain Vision Transformers can be opened."
    return None


def _timm(config: Mapping[str, Any]) -> Settings:
    architecture = str(config.get("architecture", ""))
    if reason := refusal(architecture):
        raise ValueError(reason)
    cfg, args = config.get("pretrained_cfg") or config, config.get("model_args") or {}
    size = cfg["input_size"][-1] if cfg["input_size"][-1] == cfg["input_size"][-2] else tuple(cfg["input_size"][-2:])
    names = config.get("label_names") or cfg.get("label_names")
    return Settings(
        heads=args.get("num_heads") or (16 if _SIXTEEN_HEADS.search(architecture) else None),
        norm_eps=config.get("norm_eps"),
        activation=_activation(config.get("activation")) or ("quick_gelu" if "quickgelu" in architecture else None),
        interpolation=config.get("position_interpolation", "antialias"),
        averages=(args.get("global_pool") or config.get("global_pool")) == "avg",
        preprocess=Preprocess(
            size,
            float(cfg.get("crop_pct") or 0.875),
            cfg.get("interpolation", "bicubic"),
            tuple(cfg["mean"]),
            tuple(cfg["std"]),
            "squash" if cfg.get("crop_mode") == "squash" else "crop",
        ),
        labels=tuple(map(str, names)) if isinstance(names, list) else None,
        licence=str(cfg.get("license") or ""),
        architecture=architecture,
        source="timm",
    )


def _transformers(config: Mapping[str, Any], preprocessor: Mapping[str, Any] | None) -> Settings:
    kind = str(config["model_type"])
    if kind not in _TRANSFORMERS:
        raise ValueError(refusal(kind) or f"Models of the type {kind} cannot be opened; plain Vision Transformers can.")
    tower = config.get("vision_config") if kind == "clip" else config
    if not isinstance(tower, Mapping):
        raise ValueError("config.json describes a CLIP model without its vision tower.")
    names = config.get("id2label")
    labels = None
    if isinstance(names, Mapping):
        labels = tuple(str(names[key]) for key in sorted(names, key=int))
    size = tower.get("image_size")
    assumed: tuple[str, ...] = ()
    if preprocessor is None:
        preprocess = Preprocess(size or 224, 1.0, "bicubic", IMAGENET_MEAN, IMAGENET_STD)
        assumed = ("No preprocessor_config.json: ImageNet's mean and deviation, bicubic, and no crop are assumed.",)
    else:
        preprocess = _preprocess(preprocessor)
    return Settings(
        heads=int(tower["num_attention_heads"]),
        image_size=tuple(size) if isinstance(size, list) else size,
        norm_eps=tower.get("layer_norm_eps"),
        activation=_activation(tower.get("hidden_act")),
        interpolation=_TRANSFORMERS[kind],
        preprocess=preprocess,
        labels=labels,
        architecture=kind,
        source="transformers",
        assumed=assumed,
    )


def _activation(name: Any) -> Activation | None:
    if name is None:
        return None
    if name not in _ACTIVATIONS:
        raise ValueError(f"The activation {name!r} is not one of {', '.join(sorted(_ACTIVATIONS))}.")
    return _ACTIVATIONS[name]


def _preprocess(values: Mapping[str, Any]) -> Preprocess:
    """From preprocessor_config.json, in the old form (one number) and the new one (height and width, short edge)."""
    resize, crop = values.get("size", 224), values.get("crop_size", 224)
    kind = str(values.get("image_processor_type") or values.get("feature_extractor_type") or "")
    squash = isinstance(resize, Mapping) and "shortest_edge" not in resize
    if not isinstance(resize, Mapping):  # CLIP's and BiT's processors keep the shape, the others' never did
        squash = not kind.startswith(("CLIP", "Bit"))
    target = _sides(resize)
    seen = _sides(crop) if values.get("do_center_crop", False) else target
    share = seen[0] / target[0]
    if share > 1 or abs(seen[1] / target[1] - share) > 0.01:
        raise ValueError("preprocessor_config.json cuts out more than the resized photo, or another shape.")
    normalised = values.get("do_normalize", True)
    resample = values.get("resample", 2)
    if resample not in _RESAMPLINGS:
        raise ValueError(f"preprocessor_config.json names an unknown way to resize: {resample!r}.")
    return Preprocess(
        seen[0] if seen[0] == seen[1] else seen,
        share,
        _RESAMPLINGS[resample],
        tuple(values.get("image_mean") or IMAGENET_MEAN) if normalised else (0.0, 0.0, 0.0),  # type: ignore[arg-type]
        tuple(values.get("image_std") or IMAGENET_STD) if normalised else (1.0, 1.0, 1.0),  # type: ignore[arg-type]
        "squash" if squash else "crop",
    )


def _sides(size: Any) -> tuple[int, int]:
    """Height and width in pixels of a size written in any of transformers' forms."""
    if isinstance(size, Mapping):
        if "shortest_edge" in size:
            return int(size["shortest_edge"]), int(size["shortest_edge"])
        return int(size["height"]), int(size["width"])
    if isinstance(size, int):
        return size, size
    return int(size[0]), int(size[1])
