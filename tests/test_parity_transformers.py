from typing import Any

import pytest
import torch
import transformers
from parity import check, randomise
from safetensors.torch import load_file
from torch import Tensor

from vit.convert import convert, from_state_dict

hf: Any = transformers  # its types say less than its classes take
SIZES = [(48, 48), (32, 48), (64, 48), (80, 64)]  # trained at the first
TINY: dict[str, Any] = {
    "image_size": 48,
    "patch_size": 16,
    "hidden_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 3,
    "attn_implementation": "eager",
}
HIDDEN = {"intermediate_size": 96}
WORDS = {"hidden_size": 48, "num_hidden_layers": 1, "num_attention_heads": 3, "intermediate_size": 96}


def reference_of(model):
    def run(pixels: Tensor):
        output = model(pixels, output_attentions=True, interpolate_pos_encoding=True)
        return getattr(output, "logits", None), output.attentions

    return run


def without_interpolation_flag(model):
    """DINOv2 always fits its positions to the image."""

    def run(pixels: Tensor):
        output = model(pixels, output_attentions=True)
        return getattr(output, "logits", None), output.attentions

    return run


def spellings(model, folder) -> dict[str, dict[str, Tensor]]:
    """The names at run time, those that `save_pretrained` writes, and the long ones of the files on the hub."""
    now = {key: x for key, x in model.state_dict().items() if x.numel()}
    model.save_pretrained(folder)
    return {"state_dict": now, "file": load_file(folder / "model.safetensors")}


VIT = hf.ViTConfig(**TINY, **HIDDEN, num_labels=7)
DEIT = hf.DeiTConfig(**TINY, **HIDDEN, num_labels=7)
DINOV2: dict[str, Any] = {**TINY, "num_labels": 7, "mlp_ratio": 2}
CLIP = hf.CLIPVisionConfig(**TINY, **HIDDEN)

MODELS: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "ViT, classes": (hf.ViTForImageClassification, VIT, {"readout": "class", "norm_eps": 1e-12, "classes": 7}),
    "ViT": (hf.ViTModel, VIT, {"classes": 0}),
    "ViT, no bias": (hf.ViTModel, hf.ViTConfig(**TINY, **HIDDEN, qkv_bias=False), {"qkv_bias": False}),
    "DeiT, one head": (hf.DeiTForImageClassification, DEIT, {"readout": "class", "prefix": 2}),
    "DeiT, two heads": (hf.DeiTForImageClassificationWithTeacher, DEIT, {"readout": "class_distillation"}),
    "DeiT": (hf.DeiTModel, DEIT, {"distillation_token": True, "classes": 0}),
    "CLIP, tower": (hf.CLIPVisionModel, CLIP, {"norm_before_blocks": True, "activation": "quick_gelu", "classes": 0}),
}


@pytest.mark.parametrize("spelling", ["state_dict", "file"])
@pytest.mark.parametrize(("kind", "config", "expected"), MODELS.values(), ids=MODELS.keys())
def test_parity(kind, config, expected, spelling, tmp_path):
    model = randomise(kind(config))
    sd = spellings(model, tmp_path)[spelling]
    ours = from_state_dict(sd, heads=3)
    for name, value in expected.items():
        assert getattr(ours.config, name) == value, name
    assert ours.config.interpolation == "bicubic"
    check(ours, reference_of(model), SIZES)


@pytest.mark.parametrize("spelling", ["state_dict", "file"])
@pytest.mark.parametrize("swiglu", [False, True])
@pytest.mark.parametrize("head", [False, True])
@pytest.mark.parametrize("registers", [0, 4])
def test_dinov2(registers, head, swiglu, spelling, tmp_path):
    """The head reads class token and mean together; with registers, positions are smoothed when they shrink."""
    options: dict[str, Any] = {**DINOV2, "use_swiglu_ffn": swiglu}
    if registers:
        config = hf.Dinov2WithRegistersConfig(**options, num_register_tokens=registers)
        kind = hf.Dinov2WithRegistersForImageClassification if head else hf.Dinov2WithRegistersModel
    else:
        config = hf.Dinov2Config(**options)
        kind = hf.Dinov2ForImageClassification if head else hf.Dinov2Model
    model = randomise(kind(config))
    ours = from_state_dict(spellings(model, tmp_path)[spelling], heads=3)
    c = ours.config
    assert (c.registers, c.mlp, c.norm_eps) == (registers, "swiglu" if swiglu else "mlp", 1e-6)
    assert (c.readout, c.classes) == (("class_mean", 7) if head else ("class", 0))
    assert c.interpolation == ("antialias" if registers else "bicubic")
    check(ours, without_interpolation_flag(model), SIZES)


@pytest.mark.parametrize("spelling", ["state_dict", "file"])
def test_clip_for_classes(spelling, tmp_path):
    """Its classifier averages the patches of the last block, and leaves the tower's last norm out."""
    vision = {key: value for key, value in TINY.items() if key != "attn_implementation"} | HIDDEN
    config = hf.CLIPConfig(vision_config=vision, text_config=WORDS, num_labels=7, attn_implementation="eager")
    model = randomise(hf.CLIPForImageClassification(config))
    ours = from_state_dict(spellings(model, tmp_path)[spelling], heads=3)
    assert (ours.config.readout, ours.config.head_norm, ours.config.norm_eps) == ("mean", "none", 1e-5)
    check(ours, reference_of(model), SIZES)


@pytest.mark.parametrize("decoder", [False, True])
def test_mae(decoder):
    """Nothing masked, and nothing shuffled."""
    config = hf.ViTMAEConfig(**TINY, **HIDDEN, mask_ratio=0.0, decoder_hidden_size=32, decoder_num_attention_heads=2)
    model = randomise((hf.ViTMAEForPreTraining if decoder else hf.ViTMAEModel)(config))
    ours = from_state_dict(model.state_dict(), heads=3)
    assert ours.config.classes == 0
    encoder = model.vit if decoder else model

    def run(pixels: Tensor):
        patches = pixels.shape[2] // 16 * (pixels.shape[3] // 16)
        order = torch.arange(patches).expand(len(pixels), -1).float()
        output = encoder(pixels, noise=order, output_attentions=True, interpolate_pos_encoding=True)
        return None, output.attentions

    check(ours, run, SIZES)


LONG = (  # as the files on the hub of 2020 to 2025 have them
    ("attention.q_proj", "attention.attention.query"),
    ("attention.k_proj", "attention.attention.key"),
    ("attention.v_proj", "attention.attention.value"),
    ("attention.o_proj", "attention.output.dense"),
    ("mlp.fc1", "intermediate.dense"),
    ("mlp.fc2", "output.dense"),
    ("vit.layers.", "vit.encoder.layer."),
)


def test_names_of_the_files_on_the_hub():
    """The oldest spelling, written out here, so that it stays readable whatever transformers does next."""
    model = randomise(hf.ViTForImageClassification(VIT))
    sd = {}
    for key, x in model.state_dict().items():
        for new, old in LONG:
            key = key.replace(new, old)
        sd[key] = x
    assert "vit.encoder.layer.0.attention.attention.query.weight" in sd
    assert "vit.encoder.layer.0.output.dense.bias" in sd
    check(from_state_dict(sd, heads=3), reference_of(model), SIZES)


def test_not_square_needs_the_size():
    """3 × 3 positions would fit too, if class tokens went without; in this library none does."""
    model = randomise(hf.ViTForImageClassification(hf.ViTConfig(**{**TINY, "image_size": (32, 64)}, **HIDDEN)))
    with pytest.raises(ValueError, match="9 positions with 1 prefix tokens are not a square grid"):
        from_state_dict(model.state_dict(), heads=3)
    ours = from_state_dict(model.state_dict(), heads=3, image_size=(32, 64))
    check(ours, without_interpolation_flag(model), [(32, 64)])  # its rule for other sizes starts from squares only


def test_settings_of_the_config_are_keywords():
    config = hf.ViTConfig(**TINY, **HIDDEN, num_labels=7, hidden_act="relu", layer_norm_eps=0.1)
    model = randomise(hf.ViTForImageClassification(config))
    ours = from_state_dict(model.state_dict(), heads=3, activation="relu", norm_eps=0.1)
    check(ours, reference_of(model), SIZES)
    default = from_state_dict(model.state_dict(), heads=3)
    pixels = torch.randn(1, 3, 48, 48)
    assert (default(pixels) - model(pixels).logits).abs().max() > 1e-3


def test_source_is_told():
    assert convert(hf.ViTModel(VIT).state_dict()).source == "transformers"
