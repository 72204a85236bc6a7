"""The whole model with every option of the config: shapes, read-outs, sizes, sentences."""

from typing import get_args

import pytest
import torch
from small_models import OPTIONS, pixels_for, tiny
from torch import Tensor

from vit.config import Interpolation
from vit.model import ViT


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Tensors this small are computed faster by one thread than shared out."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


# --- Every option of the config ---


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())
def test_forward_and_trace_agree(options):
    model = tiny(**options)
    c, pixels = model.config, pixels_for(model)
    with torch.no_grad():
        output, logits = model.trace(pixels), model(pixels)
    rows, cols = c.grid
    N = c.prefix + rows * cols
    assert logits.shape == (2, 7)
    assert output.logits is not None
    torch.testing.assert_close(output.logits, logits, atol=1e-5, rtol=1e-5)
    assert (output.grid, output.prefix) == ((rows, cols), c.prefix)
    assert [x.shape for x in output.tokens] == [(2, N, 48)] * 4
    assert [a.shape for a in output.attentions] == [(2, 3, N, N)] * 3
    for attention in output.attentions:
        assert attention.min() >= 0
        torch.testing.assert_close(attention.sum(-1), torch.ones(2, 3, N), atol=1e-5, rtol=0)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())
def test_every_parameter_takes_part(options):
    """No option leaves weights behind that nothing reads, and each changes the logits."""
    model = tiny(**options)
    model(pixels_for(model)).square().sum().backward()
    unused = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert unused == []


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())
def test_layer_logits(options):
    model = tiny(**options)
    with torch.no_grad():
        output = model.trace(pixels_for(model))
        pooled = model.layer_logits(output)
        assert pooled.shape == (3, 2, 7)
        assert output.logits is not None
        assert torch.equal(pooled[-1], output.logits)
        assert not torch.allclose(pooled[0], pooled[-1])
        if model.config.readout == "class_mean":
            with pytest.raises(ValueError, match="single tokens have no logits"):
                model.layer_logits(output, "all")
            return
        every = model.layer_logits(output, "all")
    assert every.shape == (3, 2, output.tokens[0].shape[1], 7)
    for layer in range(3):
        torch.testing.assert_close(every[layer], model.classification_head(output.tokens[layer + 1]))
    if model.config.readout == "class":
        torch.testing.assert_close(every[:, :, 0], pooled)


@pytest.mark.parametrize("size", [(32, 32), (8, 8), (16, 56), (40, 24)])
@pytest.mark.parametrize("interpolation", get_args(Interpolation))
def test_any_multiple_of_the_patch(interpolation, size):
    model = tiny(interpolation=interpolation, registers=2)
    pixels = torch.randn(2, 3, *size)
    output = model.trace(pixels)
    assert output.grid == (size[0] // 8, size[1] // 8)
    assert output.tokens[0].shape == (2, 3 + output.grid[0] * output.grid[1], 48)
    assert output.logits is not None
    torch.testing.assert_close(output.logits, model(pixels), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("positions", ["sincos_1d", "sincos_2d"])
def test_fixed_positions_at_another_size(positions):
    model = tiny(positions=positions)
    assert model(torch.randn(1, 3, 16, 48)).shape == (1, 7)
    assert model.patch_embedding.positions_for((2, 6)).shape == (13, 48)


# --- Read-out ---


def norm_and_linear(model: ViT, x: Tensor) -> Tensor:
    head = model.classification_head
    return head.linear(head.norm(x))  # pyright: ignore[reportOptionalCall]


def test_readouts_by_their_definition():
    x = torch.randn(2, 1 + 2 + 16, 48)  # class token, two registers, 16 patches
    patches = x[:, 3:]

    model = tiny(registers=2)
    torch.testing.assert_close(model.read_out(x), norm_and_linear(model, x[:, 0]))

    model = tiny(registers=2, readout="mean", head_norm="pooled")
    torch.testing.assert_close(model.read_out(x), norm_and_linear(model, patches.mean(1)))

    model = tiny(registers=2, readout="mean", head_norm="tokens")  # the linear map and the mean change places
    torch.testing.assert_close(model.read_out(x), norm_and_linear(model, patches).mean(1), atol=1e-5, rtol=1e-5)

    model = tiny(registers=2, readout="mean", head_norm="none")
    head = model.classification_head
    assert head.linear is not None
    torch.testing.assert_close(model.read_out(x), head.linear(patches.mean(1)))

    model = tiny(registers=2, readout="class_mean")
    head = model.classification_head
    assert head.linear is not None
    both = torch.cat([head.norm(x[:, 0]), head.norm(patches).mean(1)], dim=-1)
    torch.testing.assert_close(model.read_out(x), head.linear(both))

    model = tiny(distillation_token=True, registers=1, readout="class_distillation")
    head = model.classification_head
    assert head.linear is not None
    assert head.dist_linear is not None
    two = head.linear(head.norm(x[:, 0])), head.dist_linear(head.norm(x[:, 1]))
    torch.testing.assert_close(model.read_out(x), (two[0] + two[1]) / 2)


def test_without_a_head():
    model = tiny(classes=0)
    output = model.trace(pixels_for(model))
    assert output.logits is None
    assert len(output.attentions) == 3
    for call in (lambda: model(pixels_for(model)), lambda: model.layer_logits(output)):
        with pytest.raises(ValueError, match="This model has no classification head: it gives attention and tokens"):
            call()


# --- Sentences ---


@pytest.mark.parametrize("call", ["forward", "trace"])
@pytest.mark.parametrize(
    ("shape", "sentence"),
    [
        ((3, 32, 32), "Expected pixels [B 3 H W], got a tensor of shape [3, 32, 32]."),
        ((1, 1, 32, 32), "Expected pixels [B 3 H W], got a tensor of shape [1, 1, 32, 32]."),
        ((1, 3, 32, 33), "Height 32 and width 33 must be multiples of the patch size 8."),
        ((1, 3, 4, 32), "Height 4 and width 32 must be multiples of the patch size 8."),
        ((1, 3, 0, 32), "Height 0 and width 32 must be multiples of the patch size 8."),
    ],
)
def test_pixels_that_cannot_be_cut(call, shape, sentence):
    with pytest.raises(ValueError) as error:  # noqa: PT011  the whole sentence is compared
        getattr(tiny(), call)(torch.zeros(shape))
    assert str(error.value) == sentence


def test_layer_logits_refuses_another_word():
    model = tiny()
    with pytest.raises(ValueError, match='tokens must be "pooled" or "all", not \'some\''):
        model.layer_logits(model.trace(pixels_for(model)), "some")
