import re
from typing import Any

import pytest
import timm
import torch
import torchvision
import transformers as hf
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor

from vit.convert import convert, from_state_dict

SIZES: dict[str, Any] = {"img_size": 32, "patch_size": 8, "embed_dim": 48, "depth": 2, "num_heads": 3, "num_classes": 5}


@pytest.fixture
def sd() -> dict[str, Tensor]:
    return VisionTransformer(**SIZES).state_dict()


@pytest.fixture
def transformers_sd() -> dict[str, Tensor]:
    config = hf.ViTConfig(
        hidden_size=48, num_hidden_layers=2, num_attention_heads=3, intermediate_size=96, image_size=32
    )
    return hf.ViTForImageClassification(config).state_dict()


# Strictness


@pytest.mark.parametrize(
    "key",
    ["blocks.0.attn.qkv.weight", "blocks.0.mlp.fc1.weight", "blocks.0.mlp.fc2.weight"],
)
def test_what_no_model_can_be_built_without(sd, key):
    del sd[key]
    with pytest.raises(ValueError, match=rf"^These weights are not complete\. Missing: {re.escape(key)}\.$"):
        from_state_dict(sd, heads=3)


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ("pos_embed", "no positions are learned"),
        ("cls_token", "17 positions with 0 prefix tokens are not a square grid"),
        ("patch_embed.proj.weight", "not the weights of a Vision Transformer"),
    ],
)
def test_what_a_vit_is_known_by(sd, key, sentence):
    del sd[key]
    with pytest.raises(ValueError, match=sentence):
        from_state_dict(sd, heads=3)


@pytest.mark.parametrize("key", ["blocks.1.attn.qkv.bias", "blocks.1.norm2.weight", "norm.bias", "head.bias"])
def test_only_what_is_missing_is_listed(sd, key):
    del sd[key]
    with pytest.raises(ValueError, match=rf"Missing: {re.escape(key)}\.$"):
        from_state_dict(sd, heads=3)


def test_a_missing_part_of_what_is_joined(transformers_sd):
    key = "vit.layers.1.attention.k_proj.weight"
    del transformers_sd[key]
    with pytest.raises(ValueError, match=r"Missing: layers\.1\.attention\.k_proj\.weight\.$"):
        from_state_dict(transformers_sd, heads=3)


def test_a_bias_that_one_part_lacks_is_never_dropped_in_silence(transformers_sd):
    """Queries and values with a bias, keys without, as BEiT has them: neither "no bias" nor "bias"."""
    for layer in (0, 1):
        del transformers_sd[f"vit.layers.{layer}.attention.k_proj.bias"]
    with pytest.raises(ValueError, match=r"Missing: layers\.0\.attention\.k_proj\.bias, layers\.1\."):
        from_state_dict(transformers_sd, heads=3)


def test_extra_keys_are_listed(sd):
    sd["blocks.0.attn.surprise"] = torch.zeros(3)
    sd["aux_head.weight"] = torch.zeros(5, 48)
    with pytest.raises(ValueError, match=r"Not used: aux_head\.weight, blocks\.0\.attn\.surprise\.$"):
        from_state_dict(sd, heads=3)


def test_many_extra_keys_are_counted(sd):
    sd |= {f"aux.{i:02d}": torch.zeros(1) for i in range(40)}
    with pytest.raises(ValueError, match=r"aux\.11 and 28 more\.$"):
        from_state_dict(sd, heads=3)


@pytest.mark.parametrize(
    ("key", "shape"),
    [
        ("blocks.1.attn.qkv.weight", [144, 47]),
        ("blocks.1.mlp.fc1.bias", [191]),
        ("head.bias", [6]),
        ("head.weight", [5, 47]),
        ("cls_token", [1, 1, 47]),
        ("norm.weight", [1, 48]),
        ("blocks.0.mlp.fc1.weight", [150, 48]),
        ("blocks.0.mlp.fc2.weight", [48, 192, 1]),
        ("patch_embed.proj.weight", [48, 192]),
        ("pos_embed", [17]),
    ],
)
def test_a_misshapen_tensor_is_named_with_its_shape(sd, key, shape):
    sd[key] = torch.zeros(shape)
    with pytest.raises(ValueError, match=re.escape(f"{key} {shape}")):
        from_state_dict(sd, heads=3)


def test_parts_of_different_shapes(transformers_sd):
    transformers_sd["vit.layers.0.attention.q_proj.weight"] = torch.zeros(48, 47)
    with pytest.raises(ValueError, match=r"layers\.0\.attention\.q_proj\.weight \[48, 47\]"):
        from_state_dict(transformers_sd, heads=3)


def test_two_models_in_one(sd):
    both = {f"{who}.{key}": x for who in ("student", "teacher") for key, x in sd.items()}
    with pytest.raises(ValueError, match="several models in one"):
        from_state_dict(both, heads=3)


def test_what_inference_never_reads_is_left_aside(sd):
    never = {"mask_token": (1, 1, 24), "decoder_embed.weight": (24, 48), "decoder_pred.bias": (3,)}
    model = from_state_dict(sd | {key: torch.zeros(shape) for key, shape in never.items()}, heads=3)
    assert sum(p.numel() for p in model.parameters()) == sum(x.numel() for x in sd.values())


def test_pooler_and_position_ids_are_left_aside():
    config = hf.ViTConfig(
        hidden_size=48, num_hidden_layers=1, num_attention_heads=3, intermediate_size=96, image_size=32
    )
    pooled, plain = hf.ViTModel(config), hf.ViTModel(config, add_pooling_layer=False)
    assert "pooler.dense.weight" in pooled.state_dict()
    with_ids = pooled.state_dict() | {"embeddings.position_ids": torch.arange(5)}
    assert (
        from_state_dict(with_ids, heads=3).state_dict().keys()
        == from_state_dict(plain.state_dict(), heads=3).state_dict().keys()
    )


# What the tensors do not tell


def test_what_was_assumed_is_said(sd):
    model = VisionTransformer(**{**SIZES, "embed_dim": 128, "num_heads": 4})
    converted = convert(model.state_dict())
    assert (converted.source, converted.config.heads) == ("timm", 2)
    said = " ".join(converted.assumed)
    assert "2 heads" in said
    assert "width 128 / 64" in said
    assert "epsilon 1e-06" in said
    assert "activation gelu" in said
    assert '"antialias"' in said
    everything = convert(sd, heads=3, norm_eps=1e-5, activation="relu", interpolation="bicubic")
    assert everything.assumed == ()
    c = everything.config
    assert (c.heads, c.norm_eps, c.activation, c.interpolation) == (3, 1e-5, "relu", "bicubic")


def test_heads_that_do_not_fit(sd):
    with pytest.raises(ValueError, match="cannot be shared by 5 heads"):
        from_state_dict(sd, heads=5)
    wide = VisionTransformer(**{**SIZES, "embed_dim": 135, "num_heads": 5})
    with pytest.raises(ValueError, match="say it with heads="):
        from_state_dict(wide.state_dict())
    assert from_state_dict(wide.state_dict(), heads=5).config.heads == 5


def test_the_image_size_must_fit_the_positions(sd):
    assert from_state_dict(sd, heads=3, image_size=32).config.grid == (4, 4)
    assert from_state_dict(sd, heads=3, image_size=(16, 64)).config.grid == (2, 8)
    assert from_state_dict(sd, heads=3, image_size=35).config.image_size == 32  # what the patches cover
    with pytest.raises(ValueError, match="48 × 48 pixels has 36 patches of 8 × 8, which these 17 positions"):
        from_state_dict(sd, heads=3, image_size=48)


# Numbers


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (torch.float16, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
def test_precision(sd, given, kept):
    model = from_state_dict({key: x.to(given) for key, x in sd.items()}, heads=3)
    assert {p.dtype for p in model.parameters()} == {kept}
    assert not model.training
    logits = model(torch.randn(1, 3, 32, 32, dtype=kept))
    assert logits.dtype == kept
    expected = sd["blocks.1.mlp.fc1.weight"].to(given).to(kept)
    assert torch.equal(model.state_dict()["encoder_blocks.1.feed_forward.fc1.weight"], expected)


def test_one_double_among_single_ones(sd):
    model = from_state_dict({**sd, "pos_embed": sd["pos_embed"].double()}, heads=3)
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_the_model_shares_no_memory_with_what_it_was_made_from(sd):
    before = {key: x.clone() for key, x in sd.items()}
    model = from_state_dict(sd, heads=3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1)
    assert all(torch.equal(before[key], x) for key, x in sd.items())
    assert all(p.requires_grad for p in model.parameters())


# Refusals

WORDS: dict[str, Any] = {"hidden_size": 48, "num_hidden_layers": 1, "num_attention_heads": 3, "intermediate_size": 96}

TIMM = {
    "swin_tiny_patch4_window7_224": "Swin",
    "swinv2_tiny_window8_256": "Swin",
    "pvt_v2_b0": "convolutional",
    "mvitv2_tiny": "hierarchical",
    "hiera_tiny_224": "Hiera",
    "pit_ti_224": "hierarchical",
    "vit_tiny_r_s16_p8_224": "hybrid",
    "eva02_tiny_patch14_224": "EVA-02",
    "vit_small_patch16_dinov3": "DINOv3",
    "vit_small_patch16_rope_224": "rotary",
    "vit_base_patch16_siglip_224": "SigLIP",
    "beit_base_patch16_224": "BEiT",
    "vit_relpos_small_patch16_224": "relative positions",
    "cait_xxs24_224": "CaiT",
    "vit_small_patch16_18x2_224": "parallel",
    "vit_base_patch16_xp_224": "normalised queries",
    "resnet18": "ResNet",
    "convnext_atto": "convolutional",
    "efficientnet_b0": "convolutional",
}


@pytest.mark.parametrize(("name", "family"), TIMM.items())
def test_other_families_of_timm_are_refused_by_name(name, family):
    with torch.device("meta"):
        model = timm.create_model(name)
    with pytest.raises(ValueError, match=rf"^This is .*{family}.*, not a plain Vision Transformer: .*\.$"):
        from_state_dict(model.state_dict())


TRANSFORMERS = {
    "DINOv3": lambda: hf.DINOv3ViTModel(hf.DINOv3ViTConfig(**WORDS)),
    "SigLIP": lambda: hf.SiglipVisionModel(hf.SiglipVisionConfig(**WORDS)),
    "Swin": lambda: hf.SwinModel(hf.SwinConfig(depths=[1, 1], num_heads=[1, 1], embed_dim=16)),
    "BEiT": lambda: hf.BeitModel(hf.BeitConfig(**WORDS)),
    "text": lambda: hf.BertModel(hf.BertConfig(**WORDS, vocab_size=9)),
    "a text": lambda: hf.CLIPTextModel(hf.CLIPTextConfig(**WORDS, vocab_size=9, bos_token_id=0, eos_token_id=1)),
    "convolutional": lambda: hf.ConvNextModel(hf.ConvNextConfig(hidden_sizes=[8] * 4, depths=[1] * 4)),
}


@pytest.mark.parametrize(("family", "make"), TRANSFORMERS.items())
def test_other_families_of_transformers_are_refused_by_name(family, make):
    with torch.device("meta"):
        model = make()
    with pytest.raises(ValueError, match=rf"^This is .*{family}.*, not a plain Vision Transformer: .*\.$"):
        from_state_dict(model.state_dict())


@pytest.mark.parametrize(
    ("name", "family"), {"resnet18": "ResNet", "swin_t": "Swin", "maxvit_t": "convolutional"}.items()
)
def test_other_families_of_torchvision_are_refused_by_name(name, family):
    with torch.device("meta"):
        model = torchvision.models.get_model(name)
    with pytest.raises(ValueError, match=rf"^This is .*{family}.*, not a plain Vision Transformer: .*\.$"):
        from_state_dict(model.state_dict())


def test_jax_before_fine_tuning_is_refused():
    with pytest.raises(ValueError, match="its head has a hidden layer"):
        from_state_dict({"embedding/kernel": torch.zeros(1), "pre_logits/kernel": torch.zeros(1)})


@pytest.mark.parametrize("sd", [{}, {"weight": torch.zeros(3)}, {"a.b": torch.zeros(1), "c": torch.zeros(2)}])
def test_anything_else_is_refused(sd):
    with pytest.raises(ValueError, match="not the weights of a Vision Transformer"):
        from_state_dict(sd)


def test_what_is_no_tensor(sd):
    with pytest.raises(ValueError, match="epoch is not a tensor of numbers but int"):
        convert({**sd, "epoch": 3}, heads=3)
