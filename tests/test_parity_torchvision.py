from collections import OrderedDict
from typing import Any

import pytest
import torch
from parity import check, randomise
from torch import Tensor
from torchvision.models.vision_transformer import VisionTransformer, interpolate_embeddings, vit_b_16

from vit.convert import convert, from_state_dict

TINY: dict[str, Any] = {
    "patch_size": 16,
    "num_layers": 3,
    "num_heads": 3,
    "hidden_dim": 48,
    "mlp_dim": 96,
    "num_classes": 7,
}


def reference_of(model: Any):
    """Its forward, with weights asked for at every block; without the check that the image has the trained size."""

    def run(pixels: Tensor):
        x = model.conv_proj(pixels).flatten(2).transpose(1, 2)
        x = torch.cat([model.class_token.expand(len(x), -1, -1), x], dim=1) + model.encoder.pos_embedding
        attentions = []
        for block in model.encoder.layers:
            y = block.ln_1(x)
            y, attention = block.self_attention(y, y, y, need_weights=True, average_attn_weights=False)
            x = x + y
            x = x + block.mlp(block.ln_2(x))
            attentions.append(attention)
        return model.heads(model.encoder.ln(x)[:, 0]), attentions

    return run


def test_parity():
    model = randomise(VisionTransformer(image_size=48, **TINY))
    ours = from_state_dict(model.state_dict(), heads=3)
    assert (ours.config.norm_eps, ours.config.interpolation, ours.config.readout) == (1e-6, "corners", "class")
    check(ours, reference_of(model), [(48, 48)])
    pixels = torch.randn(2, 3, 48, 48)
    torch.testing.assert_close(reference_of(model)(pixels)[0], model(pixels))  # the retelling above is its forward


@pytest.mark.parametrize("size", [32, 64, 80])
def test_other_size(size):
    """torchvision prepares its positions with a function of its own and loads them into a second model."""
    model = randomise(VisionTransformer(image_size=48, **TINY))
    other = VisionTransformer(image_size=size, **TINY).eval()
    resized = interpolate_embeddings(size, 16, OrderedDict(model.state_dict()), interpolation_mode="bicubic")
    other.load_state_dict(resized)
    check(from_state_dict(model.state_dict(), heads=3), reference_of(other), [(size, size)])


def test_not_square():
    """It has no such models; the same rule, stretched to each side by itself."""
    model: Any = randomise(VisionTransformer(image_size=48, **TINY))
    ours = from_state_dict(model.state_dict(), heads=3)
    own, patches = model.encoder.pos_embedding[:, :1], model.encoder.pos_embedding[:, 1:]
    grid = patches.detach().reshape(1, 3, 3, 48).permute(0, 3, 1, 2)
    grid = torch.nn.functional.interpolate(grid, (2, 4), mode="bicubic", align_corners=True)
    positions = torch.cat([own, grid.permute(0, 2, 3, 1).reshape(1, 8, 48)], dim=1)
    model.encoder.pos_embedding = torch.nn.Parameter(positions)
    check(ours, reference_of(model), [(32, 64)])


def test_vit_b_16_is_recognised():
    with torch.device("meta"):
        model = vit_b_16()
    converted = convert(model.state_dict())
    assert converted.source == "torchvision"
    assert converted.config.heads == 12
    assert sum(x.numel() for x in converted.state_dict.values()) == 86_567_656


def test_older_names_of_the_mlp():
    """Files from before torchvision 0.12 say linear_1 and linear_2."""
    model = randomise(VisionTransformer(image_size=48, **TINY))
    sd = {
        key.replace("mlp.0.", "mlp.linear_1.").replace("mlp.3.", "mlp.linear_2."): x
        for key, x in model.state_dict().items()
    }
    assert "encoder.layers.encoder_layer_0.mlp.linear_2.bias" in sd
    check(from_state_dict(sd, heads=3), reference_of(model), [(48, 48)])
