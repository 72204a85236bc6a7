from math import dist, log, sqrt

import pytest
import torch
from torch import Tensor

from visualize.stats import (
    attention_distance,
    attention_entropy,
    locality,
    patch_distances,
    prefix_attention,
    self_attention,
    sink_share,
    sink_tokens,
    token_norms,
)

GRID = 3, 5


def attention(prefix: int = 1, batch: int = 2, heads: int = 3, grid: tuple[int, int] = GRID) -> Tensor:
    tokens = prefix + grid[0] * grid[1]
    return torch.randn(batch, heads, tokens, tokens).mul(2).softmax(-1)


def uniform(prefix: int, grid: tuple[int, int] = GRID) -> Tensor:
    tokens = prefix + grid[0] * grid[1]
    return torch.full((1, 1, tokens, tokens), 1 / tokens)


def identity(prefix: int) -> Tensor:
    return torch.eye(prefix + 15)[None, None]


def test_distances_by_hand():
    table = patch_distances((2, 3), 16)
    assert table[0].tolist() == pytest.approx([0, 16, 32, 16, 16 * sqrt(2), 16 * sqrt(5)])
    assert torch.equal(table, table.T)


@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize("prefix", [0, 1, 5])
def test_a_head_that_looks_k_patches_to_the_right_has_distance_k_patches(steps, prefix):
    tokens = prefix + 15
    a = torch.zeros(1, 1, tokens, tokens)
    for row in range(3):
        for col in range(5):
            other = col + steps if col + steps < 5 else col - steps  # at the border it looks to the left
            a[0, 0, prefix + 5 * row + col, prefix + 5 * row + other] = 1
    assert attention_distance(a, GRID, 16, prefix).item() == pytest.approx(16 * steps)


def test_mass_on_prefix_tokens_does_not_shorten_distances():
    a = attention(prefix=1)
    half = a.clone()
    half[..., 1:] *= 0.5
    half[..., 0] = 1 - half[..., 1:].sum(-1)
    torch.testing.assert_close(attention_distance(half, GRID, 16), attention_distance(a, GRID, 16))
    only_class = torch.zeros(1, 1, 16, 16)
    only_class[..., 0] = 1
    assert attention_distance(only_class, GRID, 16).item() == 0


@pytest.mark.parametrize("prefix", [0, 1, 3])
def test_distance_and_locality_equal_a_direct_loop(prefix):
    a = attention(prefix)
    places = [(16 * row, 16 * col) for row in range(3) for col in range(5)]
    for b in range(2):
        for h in range(3):
            far, near = 0.0, 0.0
            for q, here in enumerate(places):
                row = a[b, h, prefix + q, prefix:].tolist()
                far += sum(w * dist(here, there) for w, there in zip(row, places, strict=True)) / sum(row)
                near += sum(
                    w
                    for w, there in zip(row, places, strict=True)
                    if max(abs(here[0] - there[0]), abs(here[1] - there[1])) <= 16
                )
            assert attention_distance(a, GRID, 16, prefix)[b, h].item() == pytest.approx(far / 15, rel=1e-4)
            assert locality(a, GRID, prefix)[b, h].item() == pytest.approx(near / 15, rel=1e-4)


def test_the_kept_table_serves_callers_with_and_without_gradients():
    patch_distances.cache_clear()
    with torch.inference_mode():
        attention_distance(attention(), GRID, 4)
    a = attention().requires_grad_()
    attention_distance(a, GRID, 4).sum().backward()
    assert a.grad is not None
    assert a.grad.isfinite().all()


def test_entropy_by_hand():
    assert attention_entropy(uniform(1)).item() == pytest.approx(1)
    assert attention_entropy(identity(1)).item() == 0
    two = torch.zeros(1, 1, 4, 4)
    two[..., :2] = 0.5
    assert attention_entropy(two).item() == pytest.approx(log(2) / log(4))
    assert attention_entropy(torch.ones(1, 1, 1, 1)).item() == 0


def test_entropy_has_gradients_and_leaves_the_attention_alone():
    a = torch.tensor([[[[0.25, 0.75], [0.5, 0.5]]]], requires_grad=True)
    attention_entropy(a).sum().backward()
    expected = -(a.detach().log() + 1) / 2 / log(2)
    assert a.grad is not None
    torch.testing.assert_close(a.grad, expected)
    assert a[0, 0, 0].tolist() == [0.25, 0.75]


def test_locality_by_hand():
    assert locality(identity(1), GRID).item() == 1
    # Uniform over 15 patches and one prefix token: 4 corners see 4 patches, 8 borders 6, 3 inside 9.
    assert locality(uniform(1), GRID).item() == pytest.approx((4 * 4 + 8 * 6 + 3 * 9) / 15 / 16)


def test_own_and_prefix_shares_by_hand():
    assert self_attention(identity(2), 2).item() == 1
    assert self_attention(uniform(1)).item() == pytest.approx(1 / 16)
    a = torch.tensor([[[[1.0, 0, 0], [0.3, 0.5, 0.2], [0.1, 0.1, 0.8]]]])  # two prefix tokens, one patch
    assert prefix_attention(a, 2)[0, 0].tolist() == pytest.approx([0.1, 0.1])
    assert prefix_attention(a, 1)[0, 0].tolist() == pytest.approx([0.2])
    assert prefix_attention(a, 0).shape == (1, 1, 0)


def test_sinks_by_hand():
    assert sink_share(uniform(1)).item() == pytest.approx(1 / 16)  # one token of 16
    assert sink_share(uniform(0, (20, 20))).item() == pytest.approx(4 / 400)  # 1 % of 400
    a = torch.full((1, 1, 16, 16), 0.5 / 15)
    a[..., 7] = 0.5
    assert sink_share(a).item() == pytest.approx(0.5)
    assert sink_tokens(a).tolist() == [[[7]]]
    with pytest.raises(ValueError, match="share must lie in"):
        sink_share(a, 0)


def test_token_norms_by_hand():
    tokens = torch.tensor([[[3.0, 4.0], [0.0, 10.0], [5.0, 0.0]], [[0.0, 2.0], [2.0, 0.0], [0.0, 8.0]]])
    assert token_norms(tokens).tolist() == [[1, 2, 1], [1, 1, 4]]


def test_attention_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"Expected attention \[B head 17 17\] for 2 prefix tokens"):
        locality(attention(1), GRID, 2)
