from typing import Any

import pytest

from vit.preprocess import HALF, IMAGENET_MEAN, IMAGENET_STD, Preprocess
from vit.settings import read_json, read_settings, refusal

TIMM = {
    "architecture": "vit_small_patch16_224",
    "num_classes": 3,
    "pretrained_cfg": {
        "input_size": [3, 224, 224],
        "interpolation": "bicubic",
        "crop_pct": 0.9,
        "crop_mode": "center",
        "mean": [0.5, 0.5, 0.5],
        "std": [0.5, 0.5, 0.5],
        "license": "apache-2.0",
    },
}
DINOV2 = {
    "model_type": "dinov2",
    "num_attention_heads": 6,
    "image_size": 518,
    "layer_norm_eps": 1e-6,
    "hidden_act": "gelu",
}
BIT = {
    "image_processor_type": "BitImageProcessor",
    "do_center_crop": True,
    "crop_size": {"height": 224, "width": 224},
    "size": {"shortest_edge": 256},
    "resample": 3,
    "image_mean": list(IMAGENET_MEAN),
    "image_std": list(IMAGENET_STD),
}


def test_timm():
    settings = read_settings(TIMM)
    assert settings.preprocess == Preprocess(224, 0.9, "bicubic", HALF, HALF)
    assert (settings.source, settings.licence, settings.interpolation) == ("timm", "apache-2.0", "antialias")
    assert settings.heads is None
    assert settings.labels is None


@pytest.mark.parametrize(
    "name", ["vit_huge_patch14_224", "vit_giant_patch14_clip_224", "vit_giant_patch14_dinov2", "vit_base_patch16_224"]
)
def test_heads_of_timms_sizes(name):
    """What the settings do not say is 64 numbers per head; the sizes that differ are known by name."""
    import timm
    import torch

    with torch.device("meta"):
        model: Any = timm.create_model(name)
    heads = read_settings({**TIMM, "architecture": name}).heads
    assert model.blocks[0].attn.num_heads == (heads or model.embed_dim // 64)


def test_timm_with_everything():
    cfg = {**TIMM["pretrained_cfg"], "crop_mode": "squash", "input_size": [3, 224, 448]}
    config = {**TIMM, "pretrained_cfg": cfg, "model_args": {"num_heads": 4}, "label_names": ["a", "b", "c"]}
    settings = read_settings(config)
    assert settings.heads == 4
    assert settings.labels == ("a", "b", "c")
    assert settings.preprocess == Preprocess((224, 448), 0.9, "bicubic", HALF, HALF, "squash")


def test_transformers():
    labels = {"10": "k", "2": "c", "0": "a", "1": "b"}
    settings = read_settings({**DINOV2, "id2label": labels}, BIT)
    assert settings.heads == 6
    assert settings.norm_eps == 1e-6
    assert settings.activation == "gelu"
    assert settings.interpolation == "bicubic"
    assert settings.image_size == 518
    assert settings.labels == ("a", "b", "c", "k")  # by number, not by text
    assert settings.preprocess == Preprocess(224, 224 / 256, "bicubic")
    assert settings.assumed == ()


def test_the_rule_for_positions_belongs_to_the_model_type():
    kinds = {"vit": "bicubic", "deit": "bicubic", "dinov2": "bicubic", "dinov2_with_registers": "antialias"}
    for kind, rule in kinds.items():
        assert read_settings({**DINOV2, "model_type": kind}, BIT).interpolation == rule


def test_a_clip_tower_inside_clip():
    config = {"model_type": "clip", "vision_config": {**DINOV2, "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5}}
    settings = read_settings(config, BIT)
    assert (settings.activation, settings.norm_eps, settings.heads) == ("quick_gelu", 1e-5, 6)


def test_a_missing_preprocessor_is_said():
    settings = read_settings(DINOV2)
    assert settings.preprocess == Preprocess(518, 1.0)
    assert len(settings.assumed) == 1
    assert "assumed" in settings.assumed[0]


# Old files give one number, whose meaning depended on the class that read it.
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"size": 224, "image_mean": HALF, "image_std": HALF}, Preprocess(224, 1.0, "bilinear", HALF, HALF, "squash")),
        (
            {"size": 224, "feature_extractor_type": "ViTFeatureExtractor", "resample": 2},
            Preprocess(224, 1.0, "bilinear", mode="squash"),
        ),
        (
            {"size": 256, "crop_size": 224, "do_center_crop": True, "resample": 3},
            Preprocess(224, 0.875, "bicubic", mode="squash"),
        ),
        (
            {"size": 224, "crop_size": 224, "do_center_crop": True, "resample": 3, "feature_extractor_type": "CLIPX"},
            Preprocess(224, 1.0, "bicubic"),
        ),
        ({"size": {"height": 224, "width": 448}, "resample": 1}, Preprocess((224, 448), 1.0, "lanczos", mode="squash")),
        (
            {"size": 224, "resample": 0, "do_normalize": False},
            Preprocess(224, 1.0, "nearest", (0, 0, 0), (1, 1, 1), "squash"),
        ),
        ({"size": [384, 384], "resample": 3}, Preprocess(384, 1.0, "bicubic", mode="squash")),
    ],
)
def test_preprocessor_forms(values, expected):
    assert read_settings(DINOV2, values).preprocess == expected


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"size": 224, "crop_size": 256, "do_center_crop": True}, "more than the resized photo"),
        ({"size": 224, "resample": 9}, "unknown way to resize"),
        ({"size": {"longest_edge": 224}}, "cannot be understood"),
    ],
)
def test_preprocessors_that_make_no_sense(values, sentence):
    with pytest.raises(ValueError, match=sentence):
        read_settings(DINOV2, values)


@pytest.mark.parametrize(
    ("architecture", "reason"),
    [
        ("swin_tiny_patch4_window7_224", "is another architecture"),
        ("vit_base_resnet50_384", "convolutional"),
        ("vit_small_r26_s32_224", "convolutional"),
        ("convnext_tiny", "convolutional"),
        ("eva02_tiny_patch14_224", "rotary"),
        ("vit_small_patch16_dinov3", "rotary"),
        ("vit_base_patch16_siglip_224", "attention"),
        ("vit_relpos_small_patch16_224", "changes the block"),
        ("vit_base_patch16_rpn_224", "changes the block"),
        ("vit_pwee_patch16_reg1_gap_256", "changes the block"),
        ("bert", "reads text"),
    ],
)
def test_other_architectures_are_refused_by_name(architecture, reason):
    assert reason in (refusal(architecture) or "")
    with pytest.raises(ValueError, match=f"^{architecture} .*only plain Vision Transformers"):
        read_settings({**TIMM, "architecture": architecture})


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"model_type": "swin"}, "swin is another architecture"),
        ({"model_type": "dinov3_vit"}, "rotary"),
        ({"model_type": "siglip_vision_model"}, "attention"),
        ({"model_type": "whisper"}, "type whisper cannot be opened"),
        ({}, "neither a timm architecture nor a transformers model type"),
        ({"model_type": "vit"}, "cannot be understood"),
        ({**DINOV2, "hidden_act": "swish"}, "activation 'swish'"),
        ({"model_type": "clip"}, "without its vision tower"),
        ({**TIMM, "pretrained_cfg": {"mean": 1}}, "cannot be understood"),
    ],
)
def test_configs_that_cannot_be_used(config, sentence):
    with pytest.raises(ValueError, match=sentence):
        read_settings(config)


def test_plain_transformers_are_not_refused():
    from vit.registry import REGISTRY

    assert [c.name for c in REGISTRY.values() if refusal(c.repo.rsplit("/", 1)[-1].split(".")[0])] == []


def test_read_json(tmp_path):
    file = tmp_path / "config.json"
    for text in ("{", "[1, 2]", "\xff"):
        file.write_text(text, encoding="latin-1")
        with pytest.raises(ValueError, match=r"^config\.json"):
            read_json(file)
    file.write_text('{"a": 1}')
    assert read_json(file) == {"a": 1}
