"""The parts of the model, each by a worked example."""

import dataclasses
from typing import get_args

import pytest
import torch
import torch.nn.functional as F
from small_models import TINY, pixels_for, tiny
from torch import nn

from vit.config import Activation
from vit.model import (
    ACTIVATIONS,
    MLP,
    ClassificationHead,
    MultiHeadSelfAttention,
    PatchEmbedding,
    ResidualConnection,
    SwiGLU,
    TransformerEncoderBlock,
    ViT,
    patchify,
    quick_gelu,
)


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Tensors this small are computed faster by one thread than shared out."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


# --- The shapes that the annotated text prints ---


def test_vit_b_16_has_its_parameter_count():
    with torch.device("meta"):  # shapes alone
        assert sum(p.numel() for p in ViT().parameters()) == 86_567_656


def test_parts_alone_with_their_defaults():
    x = PatchEmbedding()(torch.randn(1, 3, 224, 224))
    assert x.shape == (1, 197, 768)
    assert ResidualConnection(768, 0.1)(x, lambda y: y).shape == (1, 197, 768)
    assert TransformerEncoderBlock(d_model=768, nhead=12, num_hidden_dim=64, dropout=0.1)(x).shape == (1, 197, 768)
    assert ClassificationHead(emb_size=768, n_classes=1000)(x).shape == (1, 197, 1000)
    small = PatchEmbedding(in_channels=1, patch_size=8, emb_size=12, img_size=32)
    assert small(torch.randn(2, 1, 32, 32)).shape == (2, 17, 12)


# --- Patches, prefix, positions ---


def test_patchify_by_hand():
    """A 4 × 4 picture of the numbers 0 to 15 in patches of 2: reading order outside, reading order inside."""
    picture = torch.arange(16.0).reshape(1, 1, 4, 4)
    assert patchify(picture, 2)[0].tolist() == [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]
    colours = torch.cat([picture, 100 + picture], dim=1)
    assert patchify(colours, 2)[0, 1].tolist() == [2, 3, 6, 7, 102, 103, 106, 107]  # channel by channel


def test_order_of_the_prefix_and_its_positions():
    embedding = PatchEmbedding(
        3, 8, 4, (8, 16), distillation_token=True, registers=2, position_prefix=2, class_token=True
    )
    with torch.no_grad():
        embedding.projection.weight.zero_()
        assert embedding.projection.bias is not None
        embedding.projection.bias.fill_(1000)
        for i, token in enumerate((embedding.cls_token, embedding.dist_token)):
            assert token is not None
            token.fill_(i + 1)
        assert embedding.register_tokens is not None
        assert embedding.positions is not None
        embedding.register_tokens.copy_(torch.tensor([3.0, 4.0])[None, :, None].expand(1, 2, 4))
        embedding.positions.copy_(torch.tensor([10.0, 20.0, 30.0, 40.0])[:, None].expand(4, 4))
        x = embedding(torch.randn(2, 3, 8, 16))
    # class + 10, distillation + 20, two registers without a position, two patches + 30 and + 40
    assert x[..., 0].tolist() == [[11, 22, 3, 4, 1030, 1040]] * 2


def test_sincos_positions_count_the_prefix_in_one_dimension_only():
    one = PatchEmbedding(3, 8, 4, 16, positions="sincos_1d").positions_for((2, 2))
    assert one[:, 0].tolist() == pytest.approx(torch.arange(5.0).sin().tolist())  # class token at 0
    two = PatchEmbedding(3, 8, 4, 16, positions="sincos_2d").positions_for((2, 2))
    assert two[0].tolist() == [0, 0, 0, 0]
    assert two[1].tolist() == [0, 1, 0, 1]  # column 0, row 0: sine and cosine of each


def test_learned_positions_are_moved_with_the_grid():
    """The class token's position stays; the patches' positions are resized."""
    embedding = PatchEmbedding(3, 8, 4, 16)
    assert embedding.positions is not None
    moved = embedding.positions_for((3, 5))
    assert torch.equal(moved[0], embedding.positions[0])
    assert moved.shape == (16, 4)


# --- Attention, MLP, residual ---


def test_attention_by_hand():
    """One head of width 1 that copies its input into query, key and value: softmax of products, by hand."""
    attention = MultiHeadSelfAttention(1, 1)
    with torch.no_grad():
        attention.qkv.weight.fill_(1)
        attention.qkv.bias.zero_()
        attention.proj.weight.fill_(2)
        attention.proj.bias.fill_(1)
        x = torch.tensor([[[0.0], [1.0]]])
        result, weights = attention.trace(x)
    e = torch.e
    torch.testing.assert_close(weights, torch.tensor([[[[0.5, 0.5], [1 / (1 + e), e / (1 + e)]]]]))
    torch.testing.assert_close(result, torch.tensor([[[2 * 0.5 + 1], [2 * e / (1 + e) + 1]]]))
    torch.testing.assert_close(attention(x), result)


def test_attention_equals_pytorch_batch_first():
    ours, theirs = MultiHeadSelfAttention(12, 3), nn.MultiheadAttention(12, 3, batch_first=True)
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.normal_()
        theirs.in_proj_weight.copy_(ours.qkv.weight)
        theirs.in_proj_bias.copy_(ours.qkv.bias)
        theirs.out_proj.load_state_dict(ours.proj.state_dict())
        x = torch.randn(2, 5, 12)
        result, attention = ours.trace(x)
        expected, weights = theirs(x, x, x, average_attn_weights=False)
    torch.testing.assert_close(result, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(ours(x), expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(attention, weights, atol=1e-5, rtol=1e-5)


def test_attention_refuses_heads_that_do_not_divide():
    with pytest.raises(ValueError, match="The width 10 cannot be shared by 3 heads: it must divide evenly"):
        MultiHeadSelfAttention(10, 3)


def test_activations():
    x = torch.tensor([-2.0, -0.5, 0.0, 1.0, 3.0])
    normal = torch.distributions.Normal(0.0, 1.0).cdf(x)
    torch.testing.assert_close(ACTIVATIONS["gelu"](x), x * normal)
    tanh = 0.5 * x * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (x + 0.044715 * x**3)))
    torch.testing.assert_close(ACTIVATIONS["gelu_tanh"](x), tanh)
    torch.testing.assert_close(quick_gelu(x), x / (1 + torch.exp(-1.702 * x)))
    assert ACTIVATIONS["quick_gelu"] is quick_gelu
    assert ACTIVATIONS["relu"](x).tolist() == [0, 0, 0, 1, 3]
    assert set(ACTIVATIONS) == set(get_args(Activation))


def test_mlp_uses_its_activation():
    x = torch.randn(2, 3, 4)
    for name, function in ACTIVATIONS.items():
        mlp = MLP(4, 8, name)
        torch.testing.assert_close(mlp(x), mlp.fc2(function(mlp.fc1(x))))


def test_swiglu_by_hand():
    """Width 1: the first half of fc1 is the gate. gate 2, value 3: silu(2) * 3."""
    mlp = SwiGLU(1, 1)
    with torch.no_grad():
        mlp.fc1.weight.copy_(torch.tensor([[2.0], [3.0]]))
        mlp.fc1.bias.zero_()
        mlp.fc2.weight.fill_(1)
        mlp.fc2.bias.zero_()
    expected = 2 / (1 + torch.exp(torch.tensor(-2.0))) * 3
    torch.testing.assert_close(mlp(torch.ones(1, 1)), expected.reshape(1, 1))


def test_layer_scale_multiplies_the_update_only():
    residual = ResidualConnection(4, 0.0, layer_scale=0.5)
    x = torch.randn(1, 2, 4)
    torch.testing.assert_close(residual(x, lambda y: torch.ones_like(y)), x + 0.5)
    assert residual.scale is not None
    assert residual.scale.shape == (4,)


def test_norm_before_blocks():
    model = tiny(norm_before_blocks=True)
    pixels = pixels_for(model)
    norm = model.norm
    assert isinstance(norm, nn.LayerNorm)
    raw = model.patch_embedding(pixels)
    expected = F.layer_norm(raw, (48,), norm.weight, norm.bias, 1e-6)
    torch.testing.assert_close(model.embed(pixels), expected)
    plain = tiny()
    assert torch.equal(plain.embed(pixels), plain.patch_embedding(pixels))


def test_epsilon_reaches_every_norm():
    model = ViT(dataclasses.replace(TINY, norm_eps=0.125, norm_before_blocks=True))
    norms = [module for module in model.modules() if isinstance(module, nn.LayerNorm)]
    assert len(norms) == 1 + 2 * 3 + 1
    assert {norm.eps for norm in norms} == {0.125}
