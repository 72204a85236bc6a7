"""timm's names, which DINO, DINOv2, DeiT, DeiT III and MAE share with small differences."""

from collections.abc import Mapping

from torch import Tensor

from vit.convert.names import Row, Translation, strip, translate

_WB = r"(weight|bias)"
_BLOCK = r"blocks\.(?:\d+\.)?(\d+)\."  # DINOv2's chunked files count the chunk first

TABLE: tuple[Row, ...] = (
    (r"cls_token", "patch_embedding.cls_token"),
    (r"dist_token", "patch_embedding.dist_token"),
    (r"reg_token|register_tokens", "patch_embedding.register_tokens"),
    (r"pos_embed", "patch_embedding.positions", lambda x: x.squeeze(0)),
    (rf"patch_embed\.proj\.{_WB}", r"patch_embedding.projection.\1"),
    (rf"norm_pre\.{_WB}", r"norm.\1"),
    (rf"{_BLOCK}norm([12])\.{_WB}", r"encoder_blocks.\1.residual\2.norm.\3"),
    (rf"{_BLOCK}ls([12])\.gamma", r"encoder_blocks.\1.residual\2.scale"),
    (rf"{_BLOCK}gamma_([12])", r"encoder_blocks.\1.residual\2.scale"),
    (rf"{_BLOCK}attn\.(qkv|proj)\.{_WB}", r"encoder_blocks.\1.self_attn.\2.\3"),
    (rf"{_BLOCK}mlp\.fc([12])\.{_WB}", r"encoder_blocks.\1.feed_forward.fc\2.\3"),
    (rf"{_BLOCK}mlp\.fc1_g\.{_WB}", r"encoder_blocks.\1.feed_forward.gate.\2"),
    (rf"{_BLOCK}mlp\.fc1_x\.{_WB}", r"encoder_blocks.\1.feed_forward.value.\2"),
    (rf"{_BLOCK}mlp\.w12\.{_WB}", r"encoder_blocks.\1.feed_forward.fc1.\2"),  # DINOv2: gate and value in one
    (rf"{_BLOCK}mlp\.w3\.{_WB}", r"encoder_blocks.\1.feed_forward.fc2.\2"),
    (rf"(?:fc_)?norm\.{_WB}", r"classification_head.norm.\1"),
    (rf"head\.{_WB}", r"classification_head.linear.\1"),
    (rf"head_dist\.{_WB}", r"classification_head.dist_linear.\1"),
    # Read in training only: masks, MAE's decoder, the projection heads of DINO, iBOT and DINOv2.
    (r"mask_token|decoder_.*|((dino|ibot)_)?head\.(mlp|last_layer)\..*", ""),
)


def recognises(keys: set[str]) -> bool:
    """Whether these are timm's names."""
    return any(key.endswith("patch_embed.proj.weight") for key in keys)


def convert(sd: Mapping[str, Tensor]) -> Translation:
    """Weights of timm, DINO, DINOv2, DeiT, DeiT III or MAE."""
    sd = strip(sd, "module.", "student.", "teacher.", "backbone.")
    settings = {"norm_eps": 1e-6, "activation": "gelu", "interpolation": "antialias"}
    if "fc_norm.weight" in sd:  # the patches are averaged first, then normalised
        settings |= {"readout": "mean", "head_norm": "pooled"}
    if "norm_pre.weight" in sd:  # CLIP's towers keep PyTorch's epsilon
        settings["norm_eps"] = 1e-5
    dinov2 = "mask_token" in sd and "register_tokens" not in sd and "decoder_embed.weight" not in sd
    if dinov2 or any(key.startswith("head.last_layer.") for key in sd):  # the files of DINOv2 and of DINO
        settings["interpolation"] = "offset"
    return translate(sd, TABLE, **settings)
