from math import exp
from typing import Any

import pytest
import torch
from torch import Tensor
from visual_models import SIZE, images, one_thread, tiny  # noqa: F401

from visualize import change_patches, explain, insertion_deletion, lerf_morf, patch_order, perturbation
from visualize.faithfulness import blur, mean_colour, ranks
from vit.config import ViTConfig
from vit.model import ViT

WEIGHT = 3.0
HALF: dict[str, Any] = {"mean": (0.5, 0.5, 0.5), "std": (0.25, 0.25, 0.25)}  # black is −2 after normalisation


class OnePatch(ViT):
    """A model of 2 × 3 patches that reads one of them: the logits are 3 · mean(patch 4), and 0."""

    def __init__(self) -> None:
        super().__init__(ViTConfig(image_size=SIZE, patch_size=8, width=4, depth=1, heads=1, hidden=4, classes=2))
        self.eval()

    def forward(self, pixels: Tensor) -> Tensor:
        patch = WEIGHT * pixels[:, :, 8:, 8:16].mean(dim=(1, 2, 3))
        return torch.stack([patch, torch.zeros_like(patch)], dim=1)


def photo() -> Tensor:
    """Patch 4 is 1, everything else is 0."""
    pixels = torch.zeros(1, 3, *SIZE)
    pixels[:, :, 8:, 8:16] = 1
    return pixels


def one_hot(sign: float = 1.0) -> Tensor:
    heatmap = torch.zeros(1, 2, 3)
    heatmap[0, 1, 1] = sign
    return heatmap


def sigmoid(x: float) -> float:
    return 1 / (1 + exp(-x))


def test_deletion_by_hand():
    # Six patches in six steps; the mean colour is 1/6. The right map deletes patch 4 first, the wrong one last.
    full, empty = sigmoid(WEIGHT), sigmoid(WEIGHT / 6)
    right = insertion_deletion(OnePatch(), photo(), one_hot(), 0, steps=6)
    expected = torch.tensor([[full, *[empty] * 6]], dtype=torch.float64)
    torch.testing.assert_close(right.deletion_curve, expected, rtol=0, atol=1e-6)
    assert right.deletion.item() == pytest.approx((full + empty) / 12 + 5 / 6 * empty)
    wrong = insertion_deletion(OnePatch(), photo(), one_hot(-1), 0, steps=6)
    assert wrong.deletion.item() == pytest.approx((full + empty) / 12 + 5 / 6 * full)


def test_insertion_by_hand():
    start = sigmoid(WEIGHT * blur(photo(), 10.0)[:, :, 8:, 8:16].mean().item())
    full = sigmoid(WEIGHT)
    assert start < 0.75 * full
    right = insertion_deletion(OnePatch(), photo(), one_hot(), 0, steps=6)
    expected = torch.tensor([[start, *[full] * 6]], dtype=torch.float64)
    torch.testing.assert_close(right.insertion_curve, expected, rtol=0, atol=1e-6)
    assert right.insertion.item() == pytest.approx((start + full) / 12 + 5 / 6 * full)
    wrong = insertion_deletion(OnePatch(), photo(), one_hot(-1), 0, steps=6)
    assert wrong.insertion.item() == pytest.approx((start + full) / 12 + 5 / 6 * start)


def test_steps_change_rounded_numbers_of_patches():
    result = insertion_deletion(OnePatch(), photo(), one_hot(), steps=4)  # 0, 1.5, 3, 4.5, 6 patches
    assert (6 * result.shares).tolist() == [0, 2, 3, 5, 6]
    assert result.target.tolist() == [0]  # the prediction
    assert insertion_deletion(OnePatch(), photo(), one_hot(), 1).deletion_curve[0, 0] == pytest.approx(1 - sigmoid(3))


def test_equal_values_keep_reading_order():
    heatmap = torch.tensor([[[0.5, 1.0, 0.5], [1.0, 0.0, 0.5]]])
    assert patch_order(heatmap).tolist() == [[1, 3, 0, 2, 5, 4]]
    assert ranks(heatmap.flatten(1)).tolist() == [[2, 0, 3, 1, 5, 4]]
    assert ranks(heatmap.flatten(1), descending=False).tolist() == [[1, 4, 2, 5, 0, 3]]
    assert patch_order(torch.zeros(1, 14, 14)).tolist() == [list(range(196))]


def test_patches_are_changed_whole():
    pixels, heatmap = images(), torch.tensor([[[3.0, 2, 1], [0, 0, 0]], [[0, 0, 0], [1, 2, 3]]])
    changed = change_patches(pixels, torch.zeros(1), heatmap, 2)
    different = (changed != pixels).any(1)
    assert different[0, :8, :16].all()
    assert not different[0, 8:].any()
    assert not different[0, :8, 16:].any()
    assert different[1, 8:, 8:].all()
    assert torch.equal(change_patches(pixels, torch.zeros(1), heatmap, 0), pixels)
    assert change_patches(pixels, torch.zeros(1), heatmap, 6).eq(0).all()


def test_blur_keeps_a_flat_photo_and_the_sum_of_a_dot():
    flat = torch.full((1, 3, 16, 24), 0.7)
    torch.testing.assert_close(blur(flat, 10.0), flat)
    dot = torch.zeros(1, 1, 33, 33, dtype=torch.float64)
    dot[0, 0, 16, 16] = 1
    result = blur(dot, 2.0)
    assert result.sum().item() == pytest.approx(1)
    assert (result[0, 0, 16, 18] / result[0, 0, 16, 16]).item() == pytest.approx(exp(-0.5))  # at one σ
    torch.testing.assert_close(result, result.transpose(2, 3))


@pytest.mark.parametrize("kind", ["class", "mean", "registers"])
def test_a_batch_equals_a_plain_loop(kind):
    model, pixels = tiny(kind), images(3)
    heatmap = explain(model, pixels, "attention")
    target = torch.tensor([0, 3, 1])
    result = insertion_deletion(model, pixels, heatmap, target, steps=5, batch_size=4)
    again = insertion_deletion(model, pixels, heatmap, target, steps=5, batch_size=64)
    torch.testing.assert_close(again.insertion_curve, result.insertion_curve, rtol=1e-4, atol=1e-6)
    for i in range(3):
        deleted, covered = pixels[i : i + 1].clone(), blur(pixels[i : i + 1], 10.0)
        order, done = patch_order(heatmap)[i].tolist(), 0
        for k, share in enumerate(result.shares.tolist()):
            while done < round(6 * share):
                row, col = divmod(order[done], 3)
                window = (..., slice(8 * row, 8 * row + 8), slice(8 * col, 8 * col + 8))
                deleted[window] = mean_colour(pixels[i : i + 1])
                covered[window] = pixels[i : i + 1][window]
                done += 1
            for picture, curve in ((deleted, result.deletion_curve), (covered, result.insertion_curve)):
                probability = model(picture).softmax(-1)[0, target[i]].item()
                assert curve[i, k].item() == pytest.approx(probability, abs=1e-5)
        assert done == 6


def test_the_ends_of_the_curves():
    model, pixels = tiny(), images()
    result = insertion_deletion(model, pixels, torch.rand(2, 2, 3), 2)
    probability = model(pixels).softmax(-1)[:, 2].detach().double()
    torch.testing.assert_close(result.deletion_curve[:, 0], probability, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(result.insertion_curve[:, -1], probability, rtol=1e-5, atol=1e-6)
    assert result.deletion_curve.shape == (2, 29)


def test_perturbation_by_hand():
    # 10 % of 384 pixels are 38, all within the middle of patch 4 when its map is stretched: (26 · 1 − 38 · 2) / 64.
    result = perturbation(OnePatch(), photo(), one_hot(), 0, score="logit", shares=(0.1,), **HALF)
    removed = WEIGHT * (26 - 2 * 38) / 64
    torch.testing.assert_close(result.positive_curve, torch.tensor([[WEIGHT, removed]], dtype=torch.float64))
    torch.testing.assert_close(result.negative_curve, torch.tensor([[WEIGHT, WEIGHT]], dtype=torch.float64))
    assert result.positive.item() == pytest.approx(100 * 0.1 * (WEIGHT + removed) / 2)
    assert result.negative.item() == pytest.approx(100 * 0.1 * WEIGHT)
    assert lerf_morf(result).item() == pytest.approx(0.1 * (WEIGHT - removed) / 2)


def test_perturbation_watches_the_top_class():
    # Class 0 leads while patch 4 is mostly there. Right map: lost at once. Wrong map: kept until the end.
    right = perturbation(OnePatch(), photo(), one_hot(), **HALF)
    assert right.positive_curve.tolist() == [[1] + [0] * 9]
    assert right.positive.item() == pytest.approx(100 * 0.05)
    assert right.negative_curve[0, :8].eq(1).all()
    assert right.negative.item() >= 70
    wrong = perturbation(OnePatch(), photo(), one_hot(-1), **HALF)
    assert wrong.positive.item() == pytest.approx(right.negative.item())
    assert lerf_morf(wrong).item() == pytest.approx(-lerf_morf(right).item())
    probability = perturbation(OnePatch(), photo(), one_hot(), score="probability", **HALF)
    assert probability.positive_curve[0, 0].item() == pytest.approx(sigmoid(WEIGHT))


def test_one_perturbation_run_holds_every_score(monkeypatch):
    model, pixels, sizes = tiny(), images(), []
    heatmap = explain(model, pixels, "attention")
    alone = {s: perturbation(model, pixels, heatmap, 1, score=s, **HALF) for s in ("top1", "probability", "logit")}
    forward = ViT.forward
    monkeypatch.setattr(ViT, "forward", lambda self, x: sizes.append(len(x)) or forward(self, x))
    run = perturbation(model, pixels, heatmap, 1, **HALF)
    assert sum(sizes) == 2 + 2 * 2 * 9  # the photos, then nine shares of two orders
    for score, expected in alone.items():
        seen = run.watching(score)
        assert torch.equal(seen.positive_curve, expected.positive_curve)
        assert torch.equal(seen.negative, expected.negative)
        assert seen.score == score
    assert sum(sizes) == 38
    logits = model(pixels)[:, 1].detach().double()
    torch.testing.assert_close(run.watching("logit").positive_curve[:, 0], logits, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="score must be one of"):
        run.watching("loss")


def test_perturbation_of_a_batch_equals_its_images():
    model, pixels = tiny(), images(3)
    heatmap = torch.rand(3, 2, 3)
    together = perturbation(model, pixels, heatmap, score="probability", batch_size=7, **HALF)
    for i in range(3):
        one = slice(i, i + 1)
        alone = perturbation(model, pixels[one], heatmap[one], score="probability", **HALF)
        torch.testing.assert_close(together.positive_curve[one], alone.positive_curve, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(together.negative[one], alone.negative, rtol=1e-4, atol=1e-4)


def test_no_more_than_batch_size_pictures_at_once(monkeypatch):
    model, sizes = tiny(), []
    forward = ViT.forward
    monkeypatch.setattr(ViT, "forward", lambda self, x: sizes.append(len(x)) or forward(self, x))
    insertion_deletion(model, images(3), torch.rand(3, 2, 3), steps=3, batch_size=5)
    assert max(sizes) == 5
    assert sum(sizes) == 3 + 2 * 3 * 3  # the photos, then two curves whose fourth point is the photo


def test_what_is_handed_in_stays():
    model, pixels, heatmap = tiny(), images(), torch.rand(2, 2, 3)
    copies = pixels.clone(), heatmap.clone()
    insertion_deletion(model, pixels, heatmap, 0, steps=3)
    perturbation(model, pixels, heatmap, 0, **HALF)
    assert torch.equal(pixels, copies[0])
    assert torch.equal(heatmap, copies[1])


@pytest.mark.parametrize(
    ("kind", "heatmap", "options", "sentence"),
    [
        ("headless", torch.rand(2, 2, 3), {}, "no classification head"),
        ("class", torch.rand(1, 2, 3), {}, r"Expected a map \[2 2 3\]"),
        ("class", torch.rand(2, 3, 2), {}, r"Expected a map \[2 2 3\]"),
        ("class", torch.full((2, 2, 3), float("nan")), {}, "not finite"),
        ("class", torch.rand(2, 2, 3), {"target": 4}, "There is no class 4"),
        ("class", torch.rand(2, 2, 3), {"steps": 0}, "steps must be a whole number"),
        ("class", torch.rand(2, 2, 3), {"sigma": 0}, "sigma must be a number"),
        ("class", torch.rand(2, 2, 3), {"batch_size": 0}, "batch_size must be"),
    ],
)
def test_what_does_not_fit_is_refused(kind, heatmap, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        insertion_deletion(tiny(kind), images(), heatmap, **options)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"mean": (0.5,), "std": (0.25,)}, "mean and std need 3 numbers"),
        ({"mean": (0.5,) * 3, "std": (0.25, 0, 0.25)}, "deviations above 0"),
        ({**HALF, "score": "loss"}, "score must be one of 'top1', 'probability', 'logit'"),
        ({**HALF, "shares": (0.5, 0.2)}, "shares must be rising"),
        ({**HALF, "shares": ()}, "shares must be rising"),
    ],
)
def test_perturbation_refuses_wrong_values(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        perturbation(tiny(), images(), torch.rand(2, 2, 3), **options)
