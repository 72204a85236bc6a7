"""Each method's formula, written out a second time: finite differences, plain loops, examples worked by hand."""

import pytest
import torch
from torch import Tensor
from visual_models import images, one_thread, tiny  # noqa: F401

from visualize import explain, rollout
from visualize.methods.chefer import relevance_row
from visualize.tokens import read_out_row, to_grid
from vit.config import ViTConfig
from vit.model import ViT


def attended(model: ViT, pixels: Tensor, changed: dict[int, Tensor]) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """Logits, attentions and tokens behind each layer, written out apart from `trace`; attentions may be replaced."""
    x, attentions, tokens = model.embed(pixels), [], []
    for layer, block in enumerate(model.blocks):
        q, k, v = block.self_attn.queries_keys_values(block.residual1.norm(x))
        a = changed.get(layer, block.self_attn.scores(q, k).softmax(-1))
        x = block.residual1.add(x, block.self_attn.join(a @ v))
        x = block.residual2(x, block.feed_forward)
        attentions.append(a)
        tokens.append(x)
    return model.read_out(x), attentions, tokens


def difference(score, attentions: list[Tensor], layer: int, eps: float = 1e-5) -> Tensor:
    """∂score/∂A of one layer by central differences, with every weight of the layer moved on its own: [1 h q k]."""
    a = attentions[layer]
    result = torch.zeros_like(a)
    for i in range(a.numel()):
        moved = []
        for sign in (1, -1):
            b = a.clone()
            b.view(-1)[i] += sign * eps
            moved.append(score({layer: b}))
        result.view(-1)[i] = (moved[0] - moved[1]) / (2 * eps)
    return result


@pytest.mark.parametrize("kind", ["class", "distillation", "mean_tokens", "class_mean"])
@torch.no_grad()
def test_gradients_against_finite_differences(kind):
    model, pixels, c, rival = tiny(kind, depth=2).double(), images(1).double(), 2, 1
    prefix, grid = model.config.prefix, (2, 3)
    _, attentions, _ = attended(model, pixels, {})
    tokens = attentions[0].shape[-1]
    eye = torch.eye(tokens, dtype=torch.float64)

    def logit(changed):
        y = attended(model, pixels, changed)[0][0]
        return y[c] - y[rival]

    gradients = [difference(logit, attentions, layer) for layer in range(2)]
    weighted = [(a * g).relu().mean(1) for a, g in zip(attentions, gradients, strict=True)]

    relevance = (eye + weighted[1]) @ (eye + weighted[0])
    expected = to_grid(read_out_row(relevance, model.config), grid, prefix)
    torch.testing.assert_close(explain(model, pixels, "chefer", c, contrast=rival), expected, rtol=1e-6, atol=1e-9)

    steps = [(w + eye) / (w + eye).sum(-1, keepdim=True) for w in weighted]
    expected = to_grid(read_out_row(steps[1] @ steps[0], model.config), grid, prefix)
    got = explain(model, pixels, "gradient_rollout", c, contrast=rival)
    torch.testing.assert_close(got, expected, rtol=1e-6, atol=1e-9)

    def behind(layer):
        def score(changed):
            z = attended(model, pixels, changed)[2][layer].mean(1)
            head = model.classification_head
            x = head.norm(z)
            y = head.classify(torch.cat([x, x], -1) if kind == "class_mean" else x)[0]
            return y[c] - y[rival]

        return score

    maps = [difference(behind(layer), attentions, layer).relu().mean((1, 2)) for layer in range(2)]
    expected = to_grid((maps[0] + maps[1]) / 2, grid, prefix)
    torch.testing.assert_close(explain(model, pixels, "legrad", c, contrast=rival), expected, rtol=1e-6, atol=1e-9)
    got = explain(model, pixels, "legrad", c, contrast=rival, start_layer=1)
    torch.testing.assert_close(got, to_grid(maps[1], grid, prefix), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("kind", ["class", "mean", "registers"])
@torch.no_grad()
def test_gradcam_against_finite_differences(kind):
    model, pixels = tiny(kind).double(), images(1).double()
    prefix = model.config.prefix
    _, _, tokens = attended(model, pixels, {})
    block = model.blocks[-1]
    features = block.residual1.norm(tokens[-2])

    def logits(f: Tensor) -> Tensor:
        x = block.residual1.add(tokens[-2], block.self_attn(f))  # the residual stream itself stays
        return model.read_out(block.residual2(x, block.feed_forward))[0]

    gradient = torch.zeros(4, *features.shape, dtype=torch.float64)  # [class 1 token width]
    for i in range(features.numel()):
        step = torch.zeros_like(features)
        step.view(-1)[i] = 1e-5
        gradient.view(4, -1)[:, i] = (logits(features + step) - logits(features - step)) / 2e-5
    weights = gradient[:, 0, prefix:].mean(1)  # [class width]
    expected = (weights @ features[0, prefix:].T).relu().reshape(4, 2, 3)
    assert expected.max() > 0.01
    for c in range(4):
        got = explain(model, pixels, "gradcam", c)
        torch.testing.assert_close(got, expected[c : c + 1], rtol=1e-6, atol=1e-9)


def test_gradcam_of_an_earlier_layer():
    model, pixels = tiny(), images()
    maps = [explain(model, pixels, "gradcam", 0, layer=layer) for layer in range(3)]
    torch.testing.assert_close(maps[2], explain(model, pixels, "gradcam", 0))
    assert not torch.allclose(maps[0], maps[2])


def test_chefer_by_hand():
    # Two tokens, one head, two layers. relu(G ⊙ A): layer 0 [[0, .3], [.2, 0]], layer 1 [[.5, .1], [0, .4]].
    a = [torch.tensor([[[[0.4, 0.6], [0.2, 0.8]]]]), torch.tensor([[[[0.5, 0.5], [0.6, 0.4]]]])]
    g = [torch.tensor([[[[-1.0, 0.5], [1.0, -2.0]]]]), torch.tensor([[[[1.0, 0.2], [-3.0, 1.0]]]])]
    # R = (I + Ā_1)(I + Ā_0), row 0: [1.5, .1] @ [[1, .3], [.2, 1]] = [1.52, .55]
    config = ViTConfig(image_size=8, patch_size=8, width=4, heads=1, depth=2)
    row = relevance_row(a, g, config)
    torch.testing.assert_close(row, torch.tensor([[1.52, 0.55]], dtype=torch.float64), rtol=0, atol=1e-7)


def test_rollout_is_a_row_of_the_matrix():
    model, pixels = tiny("registers"), images()
    with torch.no_grad():
        matrix = rollout(model.trace(pixels).attentions, heads="max", discard=0.5, prefix=3, end_layer=1)
    got = explain(model, pixels, "rollout", heads="max", discard=0.5, end_layer=1, query=(0, 1))
    torch.testing.assert_close(got, matrix[:, 4, 3:].reshape(2, 2, 3))


def test_class_patches_are_probabilities_of_the_head_on_single_tokens():
    model, pixels = tiny("distillation"), images()
    expected = model.layer_logits(model.trace(pixels), "all").softmax(-1)[1, :, 2:, 3].reshape(2, 2, 3)
    torch.testing.assert_close(explain(model, pixels, "class_patches", 3, layer=1), expected.detach())


def test_class_patches_against_a_rival_are_the_difference_of_the_two():
    model, pixels = tiny(), images()
    one, other = (explain(model, pixels, "class_patches", each) for each in (3, 1))
    torch.testing.assert_close(explain(model, pixels, "class_patches", 3, contrast=1), one - other)
    mixed = explain(model, pixels, "class_patches", torch.tensor([3, 1]))  # each image its own class
    torch.testing.assert_close(mixed, torch.stack([one[0], other[1]]))


@pytest.mark.parametrize("kind", ["class", "mean", "distillation"])
@pytest.mark.parametrize("baseline", ["mean", "zero"])
def test_integrated_gradients_are_complete(kind, baseline):
    model, pixels = tiny(kind).double(), images().double()
    start = pixels.mean((2, 3), keepdim=True).expand_as(pixels) if baseline == "mean" else torch.zeros_like(pixels)
    change = (model(pixels) - model(start))[:, 1].detach()
    missing = []
    for steps in (20, 160):
        heatmap = explain(model, pixels, "integrated_gradients", 1, steps=steps, baseline=baseline)
        missing.append((heatmap.sum((1, 2)) - change).abs() / heatmap.abs().sum((1, 2)))
    assert missing[1].max() < 0.005
    assert missing[1].max() < missing[0].max() / 4  # what is missing is the step size's


@torch.no_grad()
def test_pixel_gradients_against_finite_differences():
    model, pixels, c, rows = tiny(depth=1).double(), images(1).double(), 2, (3, 9)
    slope = torch.zeros(3, *pixels.shape[2:], dtype=torch.float64)
    for channel in range(3):
        for y in rows:
            for x in range(24):
                step = torch.zeros_like(pixels)
                step[0, channel, y, x] = 1e-5
                slope[channel, y, x] = (model(pixels + step) - model(pixels - step))[0, c] / 2e-5

    def only(values: Tensor) -> Tensor:  # rows 3 and 9 of the pixels, one in each row of patches
        kept = torch.zeros_like(values)
        kept[..., rows, :] = values[..., rows, :]
        return kept

    x = pixels.clone().requires_grad_()
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(model(x)[0, c], x)
    torch.testing.assert_close(only(gradient[0]), slope, rtol=1e-5, atol=1e-8)
    plain = gradient[0].abs().mean(0).reshape(2, 8, 3, 8).mean((1, 3))
    torch.testing.assert_close(explain(model, pixels, "smoothgrad", c, noise=0, samples=2)[0], plain)
    assert not torch.allclose(explain(model, pixels, "smoothgrad", c, noise=0.2)[0], plain)


def test_smoothgrad_equals_a_plain_loop():
    model, pixels = tiny().double(), images().double()
    draws = torch.Generator().manual_seed(7)
    spread = 0.3 * torch.stack([x.max() - x.min() for x in pixels])  # σ of each image
    total = torch.zeros_like(pixels)
    for _ in range(4):
        noise = torch.randn(pixels.shape[1:], generator=draws, dtype=torch.float64)
        for i in range(2):  # both images get the same draw
            x = (pixels[i] + spread[i] * noise)[None].requires_grad_()
            total[i] += torch.autograd.grad(model(x)[0, 1], x)[0][0] / 4
    expected = total.abs().mean(1).reshape(2, 2, 8, 3, 8).mean((2, 4))
    got = explain(model, pixels, "smoothgrad", 1, samples=4, noise=0.3, seed=7)
    torch.testing.assert_close(got, expected, rtol=1e-8, atol=1e-12)


@torch.no_grad()
@pytest.mark.parametrize("score", ["logit", "probability"])
def test_occlusion_equals_a_plain_loop(score):
    model, pixels = tiny("registers"), images()

    def value(x: Tensor) -> float:
        y = model(x) if score == "logit" else model(x).softmax(-1)
        return (y[0, 3] - y[0, 1]).item()

    got = explain(model, pixels, "occlusion", 3, contrast=1, score=score, batch_size=4)
    for i in range(2):
        for row in range(2):
            for col in range(3):
                covered = pixels[i : i + 1].clone()
                covered[..., 8 * row : 8 * row + 8, 8 * col : 8 * col + 8] = pixels[i].mean((1, 2))[None, :, None, None]
                expected = value(pixels[i : i + 1]) - value(covered)
                assert got[i, row, col].item() == pytest.approx(expected, abs=1e-5)


def test_occlusion_in_parts_adds_up():
    model, pixels = tiny("registers"), images()
    whole = explain(model, pixels, "occlusion", 3)
    parts = [explain(model, pixels, "occlusion", 3, patches=part) for part in ((0, 4), (4, 6))]
    torch.testing.assert_close(sum(parts), whole)
    assert parts[0].flatten(1)[:, 4:].eq(0).all()
    for wrong in ((0, 7), (3, 3), (-1, 2), (1,), 4, "12", (0.0, 2)):
        with pytest.raises(ValueError, match="patches"):
            explain(model, pixels, "occlusion", 3, patches=wrong)
