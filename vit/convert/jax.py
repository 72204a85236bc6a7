"""The original JAX files (`.npz`), whose kernels stand the other way round."""

from collections.abc import Mapping

import torch
from torch import Tensor

from vit.convert.names import Row, Translation, translate

_BLOCK = r"Transformer/encoderblock_(\d+)/"
_ATTENTION = _BLOCK + r"MultiHeadDotProductAttention_\d+/"
_OURS = r"encoder_blocks.\1."
_NORM = {"scale": "weight", "bias": "bias"}


def _linear(x: Tensor) -> Tensor:
    """Kernel [in … out] to weight [out in]."""
    return x.reshape(-1, x.shape[-1]).T


def _heads_out(x: Tensor) -> Tensor:
    """Query, key or value kernel [width head head_width] to weight [width width]."""
    return x.reshape(x.shape[0], -1).T


def _rows() -> list[Row]:
    rows: list[Row] = [
        (r"cls", "patch_embedding.cls_token"),
        (r"Transformer/posembed_input/pos_embedding", "patch_embedding.positions", lambda x: x.squeeze(0)),
        (r"embedding/kernel", "patch_embedding.projection.weight", lambda x: x.permute(3, 2, 0, 1)),
        (r"embedding/bias", "patch_embedding.projection.bias"),
        (r"head/kernel", "classification_head.linear.weight", _linear),
        (r"head/bias", "classification_head.linear.bias"),
        (_ATTENTION + r"out/kernel", _OURS + "self_attn.proj.weight", _linear),
        (_ATTENTION + r"out/bias", _OURS + "self_attn.proj.bias"),
    ]
    for theirs, ours in (("query", "q"), ("key", "k"), ("value", "v")):
        rows.append((_ATTENTION + f"{theirs}/kernel", _OURS + f"self_attn.{ours}.weight", _heads_out))
        rows.append((_ATTENTION + f"{theirs}/bias", _OURS + f"self_attn.{ours}.bias", torch.flatten))
    for theirs, ours in (("Dense_0", "fc1"), ("Dense_1", "fc2")):
        rows.append((_BLOCK + rf"MlpBlock_\d+/{theirs}/kernel", _OURS + f"feed_forward.{ours}.weight", _linear))
        rows.append((_BLOCK + rf"MlpBlock_\d+/{theirs}/bias", _OURS + f"feed_forward.{ours}.bias"))
    for theirs, ours in _NORM.items():
        rows.append((rf"Transformer/encoder_norm/{theirs}", f"classification_head.norm.{ours}"))
        rows.append((_BLOCK + f"LayerNorm_0/{theirs}", _OURS + f"residual1.norm.{ours}"))
        rows.append((_BLOCK + rf"LayerNorm_[12]/{theirs}", _OURS + f"residual2.norm.{ours}"))
    return rows


TABLE = tuple(_rows())


def recognises(keys: set[str]) -> bool:
    """Whether these are the original JAX names."""
    return "embedding/kernel" in keys and any(key.startswith("Transformer/") for key in keys)


def convert(sd: Mapping[str, Tensor]) -> Translation:
    """Weights of the original JAX code; the number of heads stands in the shape of the query kernel."""
    heads = next((x.shape[1] for key, x in sd.items() if key.endswith("/query/kernel") and x.ndim == 3), None)
    settings = {"norm_eps": 1e-6, "activation": "gelu_tanh", "interpolation": "linear"}
    return translate(sd, TABLE, **settings, **({"heads": heads} if heads else {}))
