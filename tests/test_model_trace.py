"""What trace and training may and may not do: dropout, gradients, no state."""

import pytest
import torch
import torch.nn.functional as F
from small_models import OPTIONS, logits_of, pixels_for, tiny
from torch import Tensor

from vit.config import ViTConfig
from vit.model import ResidualConnection, ViT


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Tensors this small are computed faster by one thread than shared out."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


# --- Dropout ---


def test_dropout_acts_in_training_only():
    model = tiny(dropout=0.5)
    pixels = pixels_for(model)
    assert torch.equal(model(pixels), model(pixels))
    assert torch.equal(logits_of(model, pixels), logits_of(model, pixels))
    model.train()
    assert not torch.allclose(model(pixels), model(pixels))
    assert not torch.allclose(logits_of(model, pixels), logits_of(model, pixels))
    plain = tiny(dropout=0.0).train()
    assert torch.equal(plain(pixels), plain(pixels))


def test_dropout_falls_on_the_update_of_each_sublayer():
    """After the sublayer: the stream itself passes whole, the update is either dropped or doubled."""
    residual = ResidualConnection(8, 0.5).train()
    x = torch.full((4, 50, 8), 5.0)
    update = residual(x, lambda y: torch.ones_like(y)) - x
    assert set(update.unique().tolist()) == {0.0, 2.0}
    assert 0.4 < (update == 0).float().mean() < 0.6
    seen = []
    residual(torch.randn(1, 50, 8), lambda y: seen.append(y) or y)
    assert (seen[0] != 0).all()  # what the sublayer sees is not dropped


@pytest.mark.parametrize("way", ["forward", "trace"])
def test_dropout_is_called_twice_in_each_block(way, monkeypatch):
    model = tiny(dropout=0.25).train()
    calls = []
    original = F.dropout

    def counted(x, p=0.5, training=True, inplace=False):
        calls.append((p, training))
        return original(x, p, training, inplace)

    monkeypatch.setattr(F, "dropout", counted)
    getattr(model, way)(pixels_for(model))
    assert calls == [(0.25, True)] * 2 * 3


# --- Tracing: gradients, purity ---


def test_gradients_of_the_attention_against_finite_differences():
    """Frozen weights, no gradient asked for the pixels: the attentions still carry one each, in matching order."""
    model = tiny(depth=2).double().requires_grad_(False)
    pixels = torch.randn(1, 3, 16, 16, dtype=torch.float64)
    output = model.trace(pixels)
    assert output.logits is not None
    gradients = torch.autograd.grad(output.logits[0, 3], output.attentions)
    assert [g.shape for g in gradients] == [a.shape for a in output.attentions]

    def logit_with(layer: int, attention: Tensor) -> float:
        """Class 3 when this layer's attention is replaced; written out from the parts, without trace."""
        x = model.embed(pixels)
        for i, block in enumerate(model.blocks):
            first, attend = block.residual1, block.self_attn
            q, k, v = attend.queries_keys_values(first.norm(x))
            weights = attention if i == layer else attend.scores(q, k).softmax(-1)
            x = block.residual2(first.add(x, attend.join(weights @ v)), block.feed_forward)
        return model.read_out(x)[0, 3].item()

    step = 1e-5
    for layer in range(2):
        own = output.attentions[layer].detach()
        for head, query, key in ((0, 0, 0), (1, 0, 3), (2, 4, 1)):
            shift = torch.zeros_like(own)
            shift[0, head, query, key] = step
            slope = (logit_with(layer, own + shift) - logit_with(layer, own - shift)) / (2 * step)
            assert gradients[layer][0, head, query, key].item() == pytest.approx(slope, rel=1e-5, abs=1e-9)
    # The order matters: the layers' gradients are not alike.
    assert not torch.allclose(gradients[0], gradients[1], rtol=0.1)


def test_trace_follows_grad_mode():
    model = tiny()
    pixels = pixels_for(model)
    assert all(a.requires_grad for a in model.trace(pixels).attentions)
    with torch.no_grad():
        output = model.trace(pixels)
    assert not any(t.requires_grad for t in (*output.attentions, *output.tokens, output.logits) if t is not None)


def test_trace_passes_gradients_to_the_pixels():
    model = tiny().requires_grad_(False)
    pixels = pixels_for(model).requires_grad_()
    logits_of(model, pixels).sum().backward()
    assert pixels.grad is not None
    assert pixels.grad.abs().sum() > 0


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())
def test_nothing_is_left_behind(options):
    """Neither the pixels nor any attribute of any module changes, and no tensor stays on one."""
    model = tiny(**options)
    pixels = pixels_for(model)
    copy = pixels.clone()

    def attributes() -> dict[str, set[str]]:
        return {name: set(vars(module)) for name, module in model.named_modules()}

    names, state = attributes(), {name: t.clone() for name, t in model.state_dict().items()}
    first = model.trace(pixels)
    kept = [a.clone() for a in first.attentions], [x.clone() for x in first.tokens]
    model(pixels)
    model.trace(pixels + 1)
    assert torch.equal(pixels, copy)
    assert attributes() == names
    assert all(torch.equal(t, state[name]) for name, t in model.state_dict().items())
    for module in model.modules():
        assert not any(isinstance(value, Tensor) for value in vars(module).values())
        assert not module._forward_hooks
    # What an earlier call returned is not touched by later calls.
    assert all(torch.equal(a, b) for a, b in zip(first.attentions, kept[0], strict=True))
    assert all(torch.equal(a, b) for a, b in zip(first.tokens, kept[1], strict=True))


def test_trace_does_not_touch_the_flags_of_its_input():
    model = tiny().requires_grad_(False)
    pixels = pixels_for(model)
    model.trace(pixels)
    assert pixels.requires_grad is False
    assert not any(p.requires_grad for p in model.parameters())


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_precisions(dtype):
    model = tiny(interpolation="antialias").to(dtype)
    logits = model(torch.randn(1, 3, 16, 24, dtype=dtype))
    assert logits.dtype == dtype
    assert logits.isfinite().all()


def test_maps_are_the_same_with_and_without_gradients_and_under_autocast():
    """Without gradients the maps share one block of memory; nothing else may change."""
    model = ViT(ViTConfig(image_size=32, patch_size=8, width=48, depth=3, heads=3, hidden=96, classes=5)).eval()
    pixels = torch.randn(2, 3, 32, 32)
    kept = model.trace(pixels)
    with torch.no_grad():
        shared, again = model.trace(pixels), model.trace(pixels * 2)
    with torch.inference_mode():
        inferred = model.trace(pixels)
    for a, b, c, other in zip(kept.attentions, shared.attentions, inferred.attentions, again.attentions, strict=True):
        torch.testing.assert_close(a.detach(), b, rtol=0, atol=1e-6)
        torch.testing.assert_close(a.detach(), c, rtol=0, atol=1e-6)
        assert (b - other).abs().max() > 1e-4  # a second call has memory of its own
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        coarse = model.trace(pixels)
    for a, b in zip(kept.attentions, coarse.attentions, strict=True):
        torch.testing.assert_close(a.detach(), b.float(), rtol=0, atol=0.02)
