"""Rarer sources. Layouts that no library here writes: timm gets the original names, and its numbers must come out."""

import re
from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import transformers as hf
from parity import check, randomise, recorded
from timm.layers import SwiGLUPacked
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from vit.convert import convert, from_state_dict

PATCH, TRAINED = 8, (32, 32)
SIZES = [TRAINED, (24, 40), (48, 48)]
TINY: dict[str, Any] = {
    "img_size": TRAINED,
    "patch_size": PATCH,
    "embed_dim": 48,
    "depth": 2,
    "num_heads": 3,
    "num_classes": 0,
    "norm_layer": partial(nn.LayerNorm, eps=1e-6),
}

HUGGING: dict[str, Any] = {
    "hidden_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 96,
    "image_size": 32,
    "patch_size": PATCH,
    "num_labels": 5,
    "attn_implementation": "eager",
}


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def tiny(**options: Any) -> VisionTransformer:
    model = randomise(VisionTransformer(**{**TINY, **options}))
    assert isinstance(model, VisionTransformer)
    return model


def offset(grid: Tensor, rows: int, cols: int) -> Tensor:
    """DINO and DINOv2 scale by (new size + 0.1) / old size."""
    scale = ((rows + 0.1) / grid.shape[2], (cols + 0.1) / grid.shape[3])
    return F.interpolate(grid, scale_factor=scale, mode="bicubic")


def smooth(grid: Tensor, rows: int, cols: int) -> Tensor:
    """timm, and DINOv2 with registers."""
    return F.interpolate(grid, size=(rows, cols), mode="bicubic", antialias=True)


def corners(grid: Tensor, rows: int, cols: int) -> Tensor:
    """The JAX code zooms linearly, corner onto corner: here one axis after the other, by hand."""
    for axis, size in ((2, rows), (3, cols)):
        at = torch.linspace(0, grid.shape[axis] - 1, size)
        low = at.floor().long().clamp(max=grid.shape[axis] - 2)
        shape = [size if i == axis else 1 for i in range(4)]
        share = (at - low).reshape(shape)
        grid = grid.index_select(axis, low) * (1 - share) + grid.index_select(axis, low + 1) * share
    return grid


def reference_of(model: VisionTransformer, resize, options: dict[str, Any]):
    """timm at any size, its positions resized by the rule of the original source."""

    def run(pixels: Tensor):
        size = (pixels.shape[2], pixels.shape[3])
        rows, cols = size[0] // PATCH, size[1] // PATCH
        other = VisionTransformer(**{**TINY, **options, "img_size": size}).eval()
        sd = model.state_dict()
        if size != TRAINED:
            own = sd["pos_embed"].shape[1] - 16
            grid = sd["pos_embed"][:, own:].reshape(1, 4, 4, 48).permute(0, 3, 1, 2)
            grid = resize(grid, rows, cols).permute(0, 2, 3, 1).reshape(1, rows * cols, 48)
            sd["pos_embed"] = torch.cat([sd["pos_embed"][:, :own], grid], dim=1)
        other.load_state_dict(sd)
        attentions = [other.get_submodule(f"blocks.{i}.attn") for i in range(2)]
        for attention in attentions:
            attention.fused_attn = False  # pyright: ignore[reportArgumentType]
        logits, attentions = recorded([a.get_submodule("attn_drop") for a in attentions], lambda: other(pixels))
        return (logits if isinstance(other.head, nn.Linear) else None), attentions

    return run


def final_tokens(ours, model: VisionTransformer) -> None:
    """Without a head, the normalised tokens of the last block are what the two must agree on."""
    pixels = torch.randn(2, 3, *TRAINED)
    with torch.no_grad():
        mine = ours.classification_head.norm(ours.trace(pixels).tokens[-1])
        theirs = model.forward_features(pixels)
    torch.testing.assert_close(mine, theirs, atol=1e-4 * theirs.abs().max().item(), rtol=0)


@pytest.mark.parametrize("prefix", ["", "module.backbone.", "backbone."])
def test_dino(prefix):
    """With a training file's projection head, the file is known to be DINO's; without, timm's rule is assumed."""
    model = tiny()
    sd = {prefix + key: x for key, x in model.state_dict().items()}
    plain = convert(sd, heads=3)
    assert plain.config.interpolation == "antialias"
    assert any('"antialias"' in sentence for sentence in plain.assumed)
    head = {"mlp.0.weight": (8, 48), "mlp.0.bias": (8,), "last_layer.weight_g": (9, 1), "last_layer.weight_v": (9, 8)}
    stem = prefix.removesuffix("backbone.")
    ours = from_state_dict(sd | {f"{stem}head.{key}": torch.randn(shape) for key, shape in head.items()}, heads=3)
    assert (ours.config.classes, ours.config.interpolation) == (0, "offset")
    check(ours, reference_of(model, offset, {}), SIZES)
    final_tokens(ours, model)
    known = from_state_dict(sd, heads=3, interpolation="offset")
    check(known, reference_of(model, offset, {}), SIZES)


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("swiglu", [False, True])
@pytest.mark.parametrize("registers", [0, 4])
def test_dinov2(registers, swiglu, chunked):
    options: dict[str, Any] = {"init_values": 1.0, "reg_tokens": registers, "no_embed_class": True}
    if swiglu:
        options |= {"mlp_layer": SwiGLUPacked, "act_layer": nn.SiLU}
    model = tiny(**options)
    sd = model.state_dict()
    # timm adds the class token's position to the token beforehand, the original keeps it in the table.
    own = torch.randn(1, 1, 48) * 0.2
    sd["pos_embed"] = torch.cat([own, sd["pos_embed"]], dim=1)
    sd["cls_token"] = sd["cls_token"] - own
    names = {}
    for key, x in sd.items():
        key = key.replace("reg_token", "register_tokens")
        if swiglu:
            key = key.replace("mlp.fc1", "mlp.w12").replace("mlp.fc2", "mlp.w3")
        names[re.sub(r"^blocks\.(\d+)", r"blocks.0.\1" if chunked else r"blocks.\1", key)] = x
    names["mask_token"] = torch.randn(1, 48)
    converted = convert(names, heads=3)
    c = converted.config
    assert (c.registers, c.positioned, c.norm_eps, c.classes) == (registers, 1, 1e-6, 0)
    assert c.interpolation == ("antialias" if registers else "offset")
    ours = from_state_dict(names, heads=3)
    check(ours, reference_of(model, smooth if registers else offset, options), SIZES)
    final_tokens(ours, model)


def test_mae_before_fine_tuning():
    """The decoder is left aside."""
    model = tiny()
    decoder = {"mask_token": (1, 1, 24), "decoder_pos_embed": (1, 17, 24), "decoder_embed.weight": (24, 48)}
    decoder |= {"decoder_blocks.0.attn.qkv.weight": (72, 24), "decoder_norm.weight": (24,), "decoder_pred.bias": (192,)}
    ours = from_state_dict(model.state_dict() | {k: torch.randn(shape) for k, shape in decoder.items()}, heads=3)
    assert (ours.config.classes, ours.config.interpolation) == (0, "antialias")
    check(ours, reference_of(model, smooth, {}), SIZES)
    final_tokens(ours, model)


def test_mae_fine_tuned():
    """The patches are averaged, then normalised."""
    options = {"num_classes": 7, "global_pool": "avg"}
    model = tiny(**options)
    assert "fc_norm.weight" in model.state_dict()
    ours = from_state_dict(model.state_dict(), heads=3)
    assert (ours.config.readout, ours.config.head_norm) == ("mean", "pooled")
    check(ours, reference_of(model, smooth, options), SIZES)


def to_jax(sd: dict[str, Tensor], heads: int = 3) -> dict[str, Tensor]:
    """The names and axes of the original .npz files."""
    out = {"cls": sd["cls_token"], "Transformer/posembed_input/pos_embedding": sd["pos_embed"]}
    out |= {
        "embedding/kernel": sd["patch_embed.proj.weight"].permute(2, 3, 1, 0),
        "embedding/bias": sd["patch_embed.proj.bias"],
    }
    out |= {"head/kernel": sd["head.weight"].T, "head/bias": sd["head.bias"]}
    out |= {"Transformer/encoder_norm/scale": sd["norm.weight"], "Transformer/encoder_norm/bias": sd["norm.bias"]}
    width = sd["norm.weight"].numel()
    for i in range(2):
        here, there = f"blocks.{i}.", f"Transformer/encoderblock_{i}/"
        for ours, theirs in (("norm1", "LayerNorm_0"), ("norm2", "LayerNorm_2")):
            out[f"{there}{theirs}/scale"], out[f"{there}{theirs}/bias"] = (
                sd[f"{here}{ours}.weight"],
                sd[f"{here}{ours}.bias"],
            )
        for ours, theirs in (("fc1", "Dense_0"), ("fc2", "Dense_1")):
            out[f"{there}MlpBlock_3/{theirs}/kernel"] = sd[f"{here}mlp.{ours}.weight"].T
            out[f"{there}MlpBlock_3/{theirs}/bias"] = sd[f"{here}mlp.{ours}.bias"]
        attention = f"{there}MultiHeadDotProductAttention_1/"
        weights, biases = sd[f"{here}attn.qkv.weight"].chunk(3), sd[f"{here}attn.qkv.bias"].chunk(3)
        for name, weight, bias in zip(("query", "key", "value"), weights, biases, strict=True):
            out[f"{attention}{name}/kernel"] = weight.T.reshape(width, heads, -1)  # [width head head_width]
            out[f"{attention}{name}/bias"] = bias.reshape(heads, -1)
        out[f"{attention}out/kernel"] = sd[f"{here}attn.proj.weight"].T.reshape(heads, -1, width)
        out[f"{attention}out/bias"] = sd[f"{here}attn.proj.bias"]
    return out


@pytest.mark.parametrize("arrays", [False, True])
def test_jax(arrays):
    """NumPy arrays or tensors; the number of heads stands in the shapes, GELU is the tanh form."""
    options: dict[str, Any] = {"num_classes": 7, "act_layer": "gelu_tanh"}
    model = tiny(**options)
    sd: dict[str, Any] = to_jax(model.state_dict())
    assert len(sd) == len(model.state_dict()) + 2 * 2 * 2  # two blocks, query key value apart, weight and bias
    if arrays:
        sd = {key: x.numpy() for key, x in sd.items()}
    ours = from_state_dict(sd)
    c = ours.config
    assert (c.heads, c.activation, c.interpolation, c.norm_eps) == (3, "gelu_tanh", "linear", 1e-6)
    assert convert(sd).source == "jax"
    assert not any("heads" in sentence for sentence in convert(sd).assumed)
    check(ours, reference_of(model, corners, options), SIZES)


def test_i_jepa():
    """transformers' model without a class token: the mean of the normalised patches is read."""
    config = hf.IJepaConfig(**HUGGING)
    model = randomise(hf.IJepaForImageClassification(config))

    def run(pixels: Tensor):
        output = model(pixels, output_attentions=True, interpolate_pos_encoding=True)
        return output.logits, output.attentions

    ours = from_state_dict(model.state_dict(), heads=3)
    assert (ours.config.prefix, ours.config.readout, ours.config.head_norm) == (0, "mean", "tokens")
    check(ours, run, SIZES)


def test_msn():
    config = hf.ViTMSNConfig(**HUGGING)
    model = randomise(hf.ViTMSNForImageClassification(config))

    def run(pixels: Tensor):
        output = model(pixels, output_attentions=True, interpolate_pos_encoding=True)
        return output.logits, output.attentions

    check(from_state_dict(model.state_dict(), heads=3, norm_eps=config.layer_norm_eps), run, SIZES)
