import math

import pytest
import torch
import torch.nn.functional as F

from vit.config import Interpolation
from vit.positions import resize_positions, sincos_1d, sincos_2d

RULES: tuple[Interpolation, ...] = ("antialias", "bicubic", "offset", "corners", "linear")


def test_sincos_1d_by_hand():
    """Width 4: two frequencies, 1 and 1/100; each gives a sine and a cosine, side by side."""
    expected = [[math.sin(p), math.cos(p), math.sin(p / 100), math.cos(p / 100)] for p in range(3)]
    torch.testing.assert_close(sincos_1d(3, 4), torch.tensor(expected))
    assert sincos_1d(3, 4)[0].tolist() == [0, 1, 0, 1]


def test_sincos_1d_takes_positions():
    assert torch.equal(sincos_1d(torch.tensor([2, 0]), 6), sincos_1d(3, 6)[[2, 0]])


def test_sincos_2d_by_hand():
    """Width 8 on 2 rows of 3: [sines, cosines] of the column in two frequencies, then the same of the row."""
    expected = []
    for row in range(2):
        for col in range(3):
            expected.append([f(p / w) for p in (col, row) for f in (math.sin, math.cos) for w in (1, 100)])
    torch.testing.assert_close(sincos_2d((2, 3), 8), torch.tensor(expected))


def test_sincos_2d_halves_follow_column_and_row():
    x = sincos_2d((4, 5), 16).reshape(4, 5, 16)
    assert torch.equal(x[..., :8], x[:1, :, :8].expand(4, -1, -1))  # the same in every row
    assert torch.equal(x[..., 8:], x[:, :1, 8:].expand(-1, 5, -1))  # the same in every column


def interpolated(x: torch.Tensor, grid: tuple[int, int], to: tuple[int, int], rule: Interpolation) -> torch.Tensor:
    """The rule of each source, written with torch.nn.functional alone, one number of the token at a time."""
    channels = []
    for channel in x.unbind(1):
        picture = channel.reshape(1, 1, *grid)
        if rule == "antialias":
            picture = F.interpolate(picture, to, mode="bicubic", align_corners=False, antialias=True)
        elif rule == "bicubic":
            picture = F.interpolate(picture, to, mode="bicubic", align_corners=False)
        elif rule == "offset":
            factors = ((to[0] + 0.1) / grid[0], (to[1] + 0.1) / grid[1])
            picture = F.interpolate(picture, scale_factor=factors, mode="bicubic", align_corners=False)
        elif rule == "corners":
            picture = F.interpolate(picture, to, mode="bicubic", align_corners=True)
        else:
            picture = F.interpolate(picture, to, mode="bilinear", align_corners=True)
        channels.append(picture.flatten())
    return torch.stack(channels, dim=1)


@pytest.mark.parametrize("to", [(7, 3), (2, 9), (4, 5), (3, 3)])
@pytest.mark.parametrize("rule", RULES)
def test_resize_follows_its_rule(rule, to):
    x = torch.randn(4 * 5, 6)
    resized = resize_positions(x, (4, 5), to, rule)
    assert resized.shape == (to[0] * to[1], 6)
    expected = x if to == (4, 5) else interpolated(x, (4, 5), to, rule)
    torch.testing.assert_close(resized, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("to", [(7, 8), (3, 3)])
def test_rules_differ(to):
    """Otherwise the test above could pass with one rule for all."""
    x = torch.randn(20, 6)
    results = [resize_positions(x, (4, 5), to, rule) for rule in RULES]
    for i in range(len(RULES)):
        for j in range(i):
            assert (results[i] - results[j]).abs().max() > 1e-2


def test_antialias_smooths_when_shrinking():
    """9 alternating columns become 3: plain bicubic hits columns 1, 4 and 7, antialiasing averages what is between."""
    stripes = torch.tensor([1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0])[:, None]
    assert resize_positions(stripes, (1, 9), (1, 3), "bicubic").flatten().tolist() == [-1, 1, -1]
    assert resize_positions(stripes, (1, 9), (1, 3), "antialias").abs().max() < 0.2


@pytest.mark.parametrize("to", [(1, 1), (2, 7), (9, 4), (16, 16), (37, 37)])
@pytest.mark.parametrize("rule", RULES)
def test_a_constant_field_stays_constant(rule, to):
    resized = resize_positions(torch.full((20, 3), 0.7), (4, 5), to, rule)
    assert resized.shape == (to[0] * to[1], 3)
    torch.testing.assert_close(resized, torch.full_like(resized, 0.7), atol=1e-5, rtol=0)


def test_linear_by_hand():
    """Two columns become three: the middle one is the mean of its neighbours."""
    x = torch.tensor([[0.0], [1.0]])
    assert resize_positions(x, (1, 2), (1, 3), "linear").flatten().tolist() == [0, 0.5, 1]


@pytest.mark.parametrize("rule", RULES)
def test_the_same_grid_is_untouched(rule):
    x = torch.randn(20, 6)
    assert torch.equal(resize_positions(x, (4, 5), (4, 5), rule), x)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_resize_keeps_precision(dtype):
    x = torch.randn(20, 6)
    resized = resize_positions(x.to(dtype), (4, 5), (3, 7))
    assert resized.dtype == dtype
    torch.testing.assert_close(
        resized.float(), resize_positions(x.to(dtype).float(), (4, 5), (3, 7)), atol=1e-2, rtol=0
    )


def test_resize_passes_gradients():
    x = torch.randn(20, 6, requires_grad=True)
    resize_positions(x, (4, 5), (3, 7)).sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0
