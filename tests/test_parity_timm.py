from functools import partial
from typing import Any

import pytest
import timm
import torch
from parity import check, randomise, recorded
from timm.layers import SwiGLU, SwiGLUPacked
from timm.models.deit import VisionTransformerDistilled
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from vit.convert import convert, from_state_dict

SIZES = [(48, 48), (32, 48), (64, 48), (80, 64)]  # trained at the first
TINY: dict[str, Any] = {
    "img_size": 48,
    "patch_size": 16,
    "embed_dim": 48,
    "depth": 3,
    "num_heads": 3,
    "num_classes": 7,
    "dynamic_img_size": True,
}


def reference_of(model):
    """Logits and the attention of each block, from timm's unfused path."""
    for block in model.blocks:
        block.attn.fused_attn = False

    def run(pixels: Tensor):
        logits, attentions = recorded([b.attn.attn_drop for b in model.blocks], lambda: model(pixels))
        return (logits if isinstance(model.head, nn.Linear) else None), attentions

    return run


# Options of timm's constructor, and what the config must then say.
VARIANTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "plain": ({}, {"readout": "class", "norm_eps": 1e-6, "activation": "gelu"}),
    "no biases": ({"qkv_bias": False}, {"qkv_bias": False}),
    "layer scale (DeiT III)": ({"init_values": 1.0, "no_embed_class": True}, {"positioned": 0, "layer_scale": 1.0}),
    "registers with positions": ({"reg_tokens": 4}, {"registers": 4, "positioned": 5}),
    "registers without": ({"reg_tokens": 4, "no_embed_class": True}, {"registers": 4, "positioned": 0}),
    "no class token": ({"class_token": False, "global_pool": "avg"}, {"prefix": 0, "readout": "mean"}),
    "no class token, tokens normalised": (
        {"class_token": False, "global_pool": "avg", "fc_norm": False},
        {"prefix": 0, "head_norm": "tokens"},
    ),
    "no class token, registers": (
        {"class_token": False, "global_pool": "avg", "reg_tokens": 2},
        {"prefix": 2, "registers": 2, "head_norm": "pooled"},
    ),
    "mean of patches (MAE)": ({"global_pool": "avg"}, {"readout": "mean", "head_norm": "pooled", "prefix": 1}),
    "swiglu": ({"mlp_layer": SwiGLU, "act_layer": "silu"}, {"mlp": "swiglu", "hidden": 192}),
    "swiglu packed": ({"mlp_layer": SwiGLUPacked, "act_layer": "silu"}, {"mlp": "swiglu", "hidden": 96}),
    "one channel": ({"in_chans": 1}, {"channels": 1}),
    "no head": ({"num_classes": 0}, {"classes": 0}),
}


@pytest.mark.parametrize(("options", "expected"), VARIANTS.values(), ids=VARIANTS.keys())
def test_parity(options, expected):
    eps = {"norm_layer": partial(nn.LayerNorm, eps=1e-6)}
    model = randomise(VisionTransformer(**{**TINY, **eps, **options}))
    # The size, because so few patches could be counted in two ways (9 positions: 3 × 3, or 5 and 2 × 2).
    ours = from_state_dict(model.state_dict(), heads=3, image_size=48)
    for name, value in expected.items():
        assert getattr(ours.config, name) == value, name
    assert ours.config.image_size == 48
    check(ours, reference_of(model), SIZES)


def test_clip_by_timm():
    """A norm before the blocks, no bias on the patches, PyTorch's own epsilon."""
    model = randomise(VisionTransformer(**TINY, pre_norm=True, norm_layer=nn.LayerNorm))
    ours = from_state_dict(model.state_dict(), heads=3)
    assert ours.config.norm_before_blocks
    assert not ours.config.patch_bias
    assert ours.config.norm_eps == 1e-5
    check(ours, reference_of(model), SIZES)


def test_two_heads_are_averaged():
    model = randomise(VisionTransformerDistilled(**TINY))
    ours = from_state_dict(model.state_dict(), heads=3)
    assert (ours.config.readout, ours.config.prefix) == ("class_distillation", 2)
    check(ours, reference_of(model), SIZES)


def test_not_square_needs_the_size():
    model = randomise(VisionTransformer(**{**TINY, "img_size": (32, 48)}))
    with pytest.raises(ValueError, match="7 positions with 1 prefix tokens are not a square grid"):
        from_state_dict(model.state_dict(), heads=3)
    ours = from_state_dict(model.state_dict(), heads=3, image_size=(32, 48))
    assert ours.config.grid == (2, 3)
    check(ours, reference_of(model), [(32, 48), (48, 48), (64, 32)])


def test_positions_that_fit_two_grids():
    """16 positions: 3 rows of 5 and a class token, or 4 × 4 as in DeiT III. Squares come first, and that is said."""
    model = randomise(VisionTransformer(**{**TINY, "img_size": (48, 80)}))
    converted = convert(model.state_dict(), heads=3)
    assert (converted.config.grid, converted.config.positioned) == ((4, 4), 0)
    assert any("square, with positions for 0 of 1 prefix tokens" in sentence for sentence in converted.assumed)
    told = convert(model.state_dict(), heads=3, image_size=(48, 80))
    assert (told.config.grid, told.config.positioned) == ((3, 5), 1)
    assert not any("square" in sentence for sentence in told.assumed)
    ours = from_state_dict(model.state_dict(), heads=3, image_size=(48, 80))
    check(ours, reference_of(model), [(48, 80), (80, 48)])


@pytest.mark.parametrize("activation", ["quick_gelu", "gelu_tanh", "relu"])
def test_keywords_say_what_keys_cannot(activation):
    options: dict[str, Any] = {"act_layer": activation, "norm_layer": partial(nn.LayerNorm, eps=0.1)}
    model = randomise(VisionTransformer(**TINY, **options))
    ours = from_state_dict(model.state_dict(), heads=3, activation=activation, norm_eps=0.1)
    check(ours, reference_of(model), SIZES)
    default = from_state_dict(model.state_dict(), heads=3)
    pixels = torch.randn(1, 3, 48, 48)
    assert (default(pixels) - model(pixels)).abs().max() > 1e-3  # so the keywords are what made them agree


@pytest.mark.parametrize(
    "name",
    [
        "vit_tiny_patch16_224",
        "vit_base_patch32_224",
        "deit3_small_patch16_224",
        "deit_tiny_distilled_patch16_224",
        "vit_small_patch14_dinov2",
        "vit_small_patch14_reg4_dinov2",
        "vit_medium_patch16_gap_256",
        "vit_base_patch32_clip_224",
        "vit_giant_patch14_dinov2",
    ],
)
def test_named_models_are_recognised(name):
    """Shapes of the real ones, without numbers: every key has a place, heads are width / 64, and that is said."""
    with torch.device("meta"):
        model = timm.create_model(name)
    converted = convert(model.state_dict())
    assert converted.source == "timm"
    assert converted.config.heads == model.get_submodule("blocks.0.attn").num_heads
    assert converted.config.size == model.get_submodule("patch_embed").img_size
    assert sum(x.numel() for x in converted.state_dict.values()) == sum(p.numel() for p in model.parameters())
    assert converted.config.norm_eps == model.get_submodule("blocks.0.norm1").eps
    assert any(f"{converted.config.heads} heads" in sentence for sentence in converted.assumed)
