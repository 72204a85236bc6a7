"""torchvision's `VisionTransformer`."""

from collections.abc import Mapping

from torch import Tensor

from vit.convert.names import Row, Translation, translate

_WB = r"(weight|bias)"
_BLOCK = r"encoder\.layers\.encoder_layer_(\d+)\."

TABLE: tuple[Row, ...] = (
    (r"class_token", "patch_embedding.cls_token"),
    (r"encoder\.pos_embedding", "patch_embedding.positions", lambda x: x.squeeze(0)),
    (rf"conv_proj\.{_WB}", r"patch_embedding.projection.\1"),
    (rf"{_BLOCK}ln_([12])\.{_WB}", r"encoder_blocks.\1.residual\2.norm.\3"),
    (rf"{_BLOCK}self_attention\.in_proj_{_WB}", r"encoder_blocks.\1.self_attn.qkv.\2"),
    (rf"{_BLOCK}self_attention\.out_proj\.{_WB}", r"encoder_blocks.\1.self_attn.proj.\2"),
    (rf"{_BLOCK}mlp\.(?:0|linear_1)\.{_WB}", r"encoder_blocks.\1.feed_forward.fc1.\2"),
    (rf"{_BLOCK}mlp\.(?:3|linear_2)\.{_WB}", r"encoder_blocks.\1.feed_forward.fc2.\2"),
    (rf"encoder\.ln\.{_WB}", r"classification_head.norm.\1"),
    (rf"heads\.head\.{_WB}", r"classification_head.linear.\1"),
)


def recognises(keys: set[str]) -> bool:
    """Whether these are torchvision's names."""
    return "conv_proj.weight" in keys and "encoder.pos_embedding" in keys


def convert(sd: Mapping[str, Tensor]) -> Translation:
    """Weights of torchvision's ViT; its helper resizes positions with aligned corners."""
    return translate(sd, TABLE, norm_eps=1e-6, activation="gelu", interpolation="corners", position_prefix=None)
