"""transformers: ViT, DeiT, ViT-MAE, MSN, I-JEPA, DINOv2 with and without registers, CLIP's tower.

Both spellings are in circulation: the files on the hub (`encoder.layer.0.attention.attention.query`) and what
version 5 gives at run time (`layers.0.attention.q_proj`).
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from vit.convert.names import Row, Translation, strip, translate

_WB = r"(weight|bias)"
_BLOCK = r"(?:encoder\.)?layers?\.(\d+)\."
_OURS = r"encoder_blocks.\1."

_PARTS = {"query": "q", "key": "k", "value": "v", "q_proj": "q", "k_proj": "k", "v_proj": "v"}

_QKV: tuple[Row, ...] = tuple(
    (rf"{_BLOCK}(?:attention\.attention|attention|self_attn)\.{theirs}\.{_WB}", rf"{_OURS}self_attn.{ours}.\2")
    for theirs, ours in _PARTS.items()
)

TABLE: tuple[Row, ...] = (
    (r"embeddings\.cls_token", "patch_embedding.cls_token"),
    (r"embeddings\.class_embedding", "patch_embedding.cls_token", lambda x: x.reshape(1, 1, -1)),  # CLIP
    (r"embeddings\.distillation_token", "patch_embedding.dist_token"),
    (r"embeddings\.register_tokens", "patch_embedding.register_tokens"),
    (r"embeddings\.position_embeddings", "patch_embedding.positions", lambda x: x.squeeze(0)),
    (r"embeddings\.position_embedding\.weight", "patch_embedding.positions"),  # CLIP
    (rf"embeddings\.patch_embeddings\.projection\.{_WB}", r"patch_embedding.projection.\1"),
    (rf"embeddings\.patch_embedding\.{_WB}", r"patch_embedding.projection.\1"),  # CLIP
    (rf"pre_layrnorm\.{_WB}", r"norm.\1"),  # the source's own spelling
    *_QKV,
    (rf"{_BLOCK}attention\.(?:output\.dense|o_proj)\.{_WB}", rf"{_OURS}self_attn.proj.\2"),
    (rf"{_BLOCK}self_attn\.out_proj\.{_WB}", rf"{_OURS}self_attn.proj.\2"),
    (rf"{_BLOCK}(?:layernorm_before|norm1|layer_norm1)\.{_WB}", rf"{_OURS}residual1.norm.\2"),
    (rf"{_BLOCK}(?:layernorm_after|norm2|layer_norm2)\.{_WB}", rf"{_OURS}residual2.norm.\2"),
    (rf"{_BLOCK}layer_scale([12])\.lambda1", rf"{_OURS}residual\2.scale"),
    (rf"{_BLOCK}(?:intermediate\.dense|mlp\.fc1|mlp\.weights_in)\.{_WB}", rf"{_OURS}feed_forward.fc1.\2"),
    (rf"{_BLOCK}(?:output\.dense|mlp\.fc2|mlp\.weights_out|mlp\.down_proj)\.{_WB}", rf"{_OURS}feed_forward.fc2.\2"),
    (rf"{_BLOCK}mlp\.gate_proj\.{_WB}", rf"{_OURS}feed_forward.gate.\2"),
    (rf"{_BLOCK}mlp\.up_proj\.{_WB}", rf"{_OURS}feed_forward.value.\2"),
    (rf"(?:layernorm|post_layernorm)\.{_WB}", r"classification_head.norm.\1"),
    (rf"(?:classifier|cls_classifier)\.{_WB}", r"classification_head.linear.\1"),
    (rf"distillation_classifier\.{_WB}", r"classification_head.dist_linear.\1"),
    # Read in training only, or by heads that are not classifiers.
    (r"embeddings\.(mask_token|position_ids)|pooler\..*|decoder\..*|visual_projection\.weight", ""),
)


def recognises(keys: set[str]) -> bool:
    """Whether these are names of a plain ViT in transformers."""
    return any(
        key.endswith(("embeddings.patch_embeddings.projection.weight", "embeddings.patch_embedding.weight"))
        for key in keys
    )


def convert(sd: Mapping[str, Tensor]) -> Translation:
    """Weights of any of these classes, with or without a head."""
    sd = strip(sd, "vit.", "deit.", "dinov2.", "dinov2_with_registers.", "vision_model.", "ijepa.")
    settings: dict[str, Any] = {"norm_eps": 1e-12, "activation": "gelu", "interpolation": "bicubic"}
    settings["position_prefix"] = None  # class and distillation token have theirs, registers none
    if "pre_layrnorm.weight" in sd:  # CLIP
        settings |= {"norm_eps": 1e-5, "activation": "quick_gelu"}
        if "classifier.weight" in sd:  # its classifier averages the patches and leaves the last norm out
            settings |= {"readout": "mean", "head_norm": "none"}
            sd = {key: tensor for key, tensor in sd.items() if not key.startswith("post_layernorm.")}
    elif any(".layer_scale1." in key for key in sd):  # DINOv2
        settings["norm_eps"] = 1e-6
        if "embeddings.register_tokens" in sd:
            settings["interpolation"] = "antialias"
    return translate(sd, TABLE, **settings)
