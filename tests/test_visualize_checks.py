import pytest
import torch
from torch import Tensor
from visual_models import KINDS, images, one_thread, tiny  # noqa: F401

from visualize import METHODS, agreement, checks, explain, model_dependence, randomised, rank_correlation, stability
from vit.config import ViTConfig
from vit.model import ViT

QUICK = {"integrated_gradients": {"steps": 2}, "smoothgrad": {"samples": 2}}


def test_average_ranks_by_hand():
    ranks = checks.average_ranks(torch.tensor([[5.0, 1.0, 5.0, 3.0], [2.0, 2.0, 2.0, 2.0]]))
    assert ranks.tolist() == [[2.5, 0, 2.5, 1], [1.5, 1.5, 1.5, 1.5]]


def test_rank_correlation_by_hand():
    a = torch.tensor([[1.0, 2.0, 3.0, 4.0, 5.0]])
    b = torch.tensor([[2.0, 1.0, 4.0, 3.0, 5.0]])
    # Differences of ranks 1, 1, 1, 1, 0: ρ = 1 − 6 · 4 / (5 · 24)
    assert rank_correlation(a, b).tolist() == pytest.approx([0.8])
    assert rank_correlation(a, a.exp()).tolist() == pytest.approx([1])
    assert rank_correlation(a, -a).tolist() == pytest.approx([-1])
    # A tie: ranks 0, 1.5, 1.5, 3 against 0, 1, 2, 3; covariance 4.5, variances 4.5 and 5.
    tied = rank_correlation(torch.tensor([[0.0, 1.0, 1.0, 2.0]]), torch.tensor([[0.0, 1.0, 2.0, 3.0]]))
    assert tied.tolist() == pytest.approx([(4.5 / 5) ** 0.5])


def test_rank_correlation_of_a_batch_and_of_maps_without_order():
    a = torch.tensor([[[1.0, 2.0], [3.0, 4.0]], [[1.0, 2.0], [3.0, 4.0]], [[7.0, 7.0], [7.0, 7.0]]])
    b = torch.tensor([[[1.0, 2.0], [3.0, 4.0]], [[4.0, 3.0], [2.0, 1.0]], [[1.0, 2.0], [3.0, 4.0]]])
    assert rank_correlation(a, b).tolist() == pytest.approx([1, -1, 0])


@pytest.mark.parametrize(
    ("a", "b", "sentence"),
    [
        (torch.zeros(1, 2, 3), torch.zeros(1, 3, 2), "of one shape"),
        (torch.zeros(4), torch.zeros(4), r"maps \[B rows cols\]"),
        (torch.full((1, 2, 2), float("nan")), torch.zeros(1, 2, 2), "not finite"),
    ],
)
def test_maps_that_cannot_be_compared_are_refused(a, b, sentence):
    with pytest.raises(ValueError, match=sentence):
        rank_correlation(a, b)
    with pytest.raises(ValueError, match="at least one map"):
        agreement({})


def test_agreement_by_hand():
    up = torch.arange(6.0).view(1, 2, 3)
    maps = {"up": torch.cat([up, up]), "down": torch.cat([-up, up]), "flat": torch.zeros(2, 2, 3)}
    # up and down: −1 on the first image, 1 on the second; a flat map agrees with nothing.
    expected = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 0]], dtype=torch.float64)
    torch.testing.assert_close(agreement(maps), expected)


def parameters(model: ViT) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


@pytest.mark.parametrize("kind", ["class", "registers", "headless"])
def test_only_the_top_of_a_copy_starts_over(kind):
    model = tiny(kind)
    before = parameters(model)
    fresh, again, other = randomised(model, 2), randomised(model, 2), randomised(model, 2, seed=1)
    top = ("encoder_blocks.1.", "encoder_blocks.2.", "classification_head.")
    for name, value in fresh.state_dict().items():
        assert torch.equal(value, before[name]) is not name.startswith(top), name
        assert torch.equal(value, again.state_dict()[name])
        if name.startswith(top) and name.endswith(".weight") and "norm" not in name:
            assert not torch.equal(value, other.state_dict()[name])
            assert 0.01 < value.std() < 0.03
        elif name.startswith(top):
            assert value.unique().numel() == 1  # biases 0, norms and scales at their start
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    for blocks in (0, 4):
        with pytest.raises(ValueError, match="blocks must be a whole number from 1 to 3"):
            randomised(model, blocks)


def test_a_map_that_ignores_the_model_does_not_depend_on_it():
    model, pixels = tiny(), images(3)
    for name in ("random", "centre"):
        assert model_dependence(model, pixels, name).tolist() == pytest.approx([1, 1, 1])
    # The first layer's attention is below the blocks that start over; the last one's is among them.
    assert model_dependence(model, pixels, "attention", layer=0, blocks=2).tolist() == pytest.approx([1, 1, 1])
    assert model_dependence(model, pixels, "attention", blocks=2).max() < 0.99


def test_the_class_stays_that_of_the_trained_model():
    model, pixels = tiny(), images()
    target = model(pixels).argmax(-1)
    fresh = randomised(model, 1, seed=5)
    pair = [explain(m, pixels, "legrad", target) for m in (model, fresh)]
    got = model_dependence(model, pixels, "legrad", seed=5)
    torch.testing.assert_close(got, rank_correlation(*pair))
    torch.testing.assert_close(model_dependence(model, pixels, "legrad", target, blocks=1, seed=5), got)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", METHODS)
def test_both_checks_on_every_kind_of_model(kind, method):
    model, pixels, options = tiny(kind), images(), QUICK.get(method, {})
    before = parameters(model)
    if (kind.startswith("headless") and METHODS[method].needs_target) or (kind, method) == (
        "class_mean",
        "class_patches",
    ):
        for check in (model_dependence, stability):
            with pytest.raises(ValueError, match=r"no classification head|no class of their own"):
                check(model, pixels, method, **options)
        return
    for check in (model_dependence, stability):
        scores = check(model, pixels, method, **options)
        assert scores.shape == (2,)
        assert scores.abs().max() <= 1 + 1e-9
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


class Bright(ViT):
    """Its attention is not asked for: the map of `occlusion` is the brightness of each patch, whatever its place."""

    def __init__(self) -> None:
        super().__init__(ViTConfig(image_size=(32, 40), patch_size=8, width=4, depth=1, heads=1, hidden=4, classes=2))
        self.eval()

    def forward(self, pixels: Tensor) -> Tensor:
        total = pixels.sum(dim=(1, 2, 3))
        return torch.stack([total, torch.zeros_like(total)], dim=1)


def test_stability_of_a_map_that_moves_along_and_of_one_that_does_not():
    pixels = torch.rand(2, 3, 32, 40)
    assert stability(Bright(), pixels, "occlusion", 0, baseline="zero").tolist() == pytest.approx([1, 1])
    # The random map never moves: its score is the mean of three correlations with itself, shifted.
    noise = explain(Bright(), pixels, "random", seed=2)
    expected = torch.stack(
        [
            rank_correlation(noise, noise.flip(2)),
            rank_correlation(noise[:, :, :-1], noise[:, :, 1:]),
            rank_correlation(noise[:, :-1], noise[:, 1:]),
        ]
    ).mean(0)
    torch.testing.assert_close(stability(Bright(), pixels, "random", seed=2), expected)
    assert expected.abs().max() < 0.5
    assert stability(Bright(), pixels, "centre").min() > 0.6  # high for one that knows nothing


def test_stability_of_one_row_of_patches_and_of_a_pinned_patch():
    model = tiny()
    assert stability(model, torch.rand(1, 3, 8, 40), "chefer").shape == (1,)
    with pytest.raises(ValueError, match="not about one patch"):
        stability(model, images(), "attention", query=(0, 1))
    assert stability(model, images(), "attention", query="class").shape == (2,)
    with pytest.raises(ValueError, match="no method 'saliency'"):
        stability(model, images(), "saliency")
