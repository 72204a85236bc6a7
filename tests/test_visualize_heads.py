"""Numbers about heads in one go, the commonest offset and the tags, by hand and on models of every kind."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from visual_models import KINDS, images, tiny

from visualize.heads import CLASS_TOKEN, POSITIONAL, SINK, HeadStatistics, common_offset, head_statistics, head_tags
from visualize.stats import (
    attention_distance,
    attention_entropy,
    locality,
    prefix_attention,
    self_attention,
    sink_share,
)
from vit.config import ViTConfig

GRID = 3, 5


def looking(down: int, right: int, prefix: int = 1) -> Tensor:
    """Every patch looks `down` rows and `right` columns on; where there is no such patch, at the class token."""
    rows, cols = GRID
    tokens = prefix + rows * cols
    a = torch.zeros(1, 1, tokens, tokens)
    for row in range(rows):
        for col in range(cols):
            r, c = row + down, col + right
            there = prefix + r * cols + c if 0 <= r < rows and 0 <= c < cols else 0
            a[0, 0, prefix + row * cols + col, there] = 1
    a[0, 0, :prefix, 0] = 1
    return a


@pytest.mark.parametrize(("down", "right"), [(0, 0), (0, 2), (1, -1), (-2, 0), (2, 3)])
def test_a_head_that_follows_position_is_found_with_its_offset(down, right):
    share, offset = common_offset(looking(down, right), GRID)
    assert offset.tolist() == [[[down, right]]]
    rows, cols = GRID
    inside = (rows - abs(down)) * (cols - abs(right)) / (rows * cols)
    # Patches at the border look at the class token; their row holds no patch, and argmax then names the first patch.
    assert share.item() >= inside - 1e-6
    assert share.item() < inside + 0.14


def test_offsets_equal_a_direct_loop():
    a = torch.randn(2, 3, 17, 17).mul(3).softmax(-1)  # two prefix tokens
    share, offset = common_offset(a, GRID, 2)
    for b in range(2):
        for h in range(3):
            counts: dict[tuple[int, int], int] = {}
            for q in range(15):
                k = int(a[b, h, 2 + q, 2:].argmax())
                step = k // 5 - q // 5, k % 5 - q % 5
                counts[step] = counts.get(step, 0) + 1
            assert share[b, h].item() == pytest.approx(max(counts.values()) / 15)
            assert counts[tuple(offset[b, h].tolist())] == max(counts.values())


def test_all_patches_looking_at_one_patch_is_no_position():
    a = torch.zeros(1, 1, 16, 16)
    a[..., 8] = 1
    assert common_offset(a, GRID)[0].item() == pytest.approx(1 / 15)


@pytest.mark.parametrize("kind", KINDS)
def test_statistics_are_those_of_the_single_functions(kind):
    model = tiny(kind)
    c = model.config
    with torch.no_grad():
        output = model.trace(images())
    s = head_statistics(output.attentions, c, output.grid)
    read = c.prefix - c.registers
    for layer, a in enumerate(output.attentions):
        given = prefix_attention(a, c.prefix)
        torch.testing.assert_close(s.distance[layer], attention_distance(a, output.grid, c.patch_size, c.prefix))
        torch.testing.assert_close(s.entropy[layer], attention_entropy(a))
        torch.testing.assert_close(s.class_token[layer], given[..., :read].sum(-1))
        torch.testing.assert_close(s.registers[layer], given[..., read:].sum(-1))
        torch.testing.assert_close(s.itself[layer], self_attention(a, c.prefix))
        torch.testing.assert_close(s.locality[layer], locality(a, output.grid, c.prefix))
        torch.testing.assert_close(s.sinks[layer], sink_share(a[..., read:]))
    assert s.offset.shape == (c.depth, 2, c.heads, 2)
    uniform = torch.full((1, 1, 1 + 6, 1 + 6), 1 / 7)
    assert s.uniform_distance == pytest.approx(attention_distance(uniform, output.grid, c.patch_size).item(), rel=1e-5)


def statistics(**changed: float) -> HeadStatistics:
    """One head of one layer of one image, in the middle of everything unless changed."""
    usual = {"distance": 65.0, "entropy": 0.5, "class_token": 0.1, "registers": 0.0, "itself": 0.0, "locality": 0.1}
    usual |= {"sinks": 0.1, "positional": 0.1}
    values = {name: torch.tensor([[[value]]]) for name, value in (usual | changed).items()}
    return HeadStatistics(**values, offset=torch.zeros(1, 1, 1, 2, dtype=torch.long), uniform_distance=100.0)


@pytest.mark.parametrize(
    ("changed", "tag"),
    [
        ({}, "mixed"),
        ({"distance": 50.0}, "local"),
        ({"distance": 51.0}, "mixed"),
        ({"distance": 80.0}, "global"),
        ({"distance": 79.0}, "mixed"),
        ({"positional": POSITIONAL, "distance": 10.0}, "positional"),
        ({"positional": POSITIONAL - 0.01}, "mixed"),
        ({"class_token": CLASS_TOKEN, "positional": 1.0}, "class token"),
        ({"class_token": CLASS_TOKEN - 0.01}, "mixed"),
        ({"sinks": SINK, "class_token": 0.6}, "sink"),
        ({"sinks": SINK - 0.01}, "mixed"),
    ],
)
def test_tags_by_their_thresholds(changed, tag):
    assert head_tags(statistics(**changed)) == [[[tag]]]


def test_heads_made_by_hand_get_their_tags():
    c = ViTConfig(image_size=(48, 80), patch_size=16, width=12, depth=1, heads=1, hidden=8)
    sink = torch.zeros(1, 1, 16, 16)
    sink[..., 9] = 1
    to_class = torch.zeros(1, 1, 16, 16)
    to_class[..., 0] = 1
    uniform = torch.full((1, 1, 16, 16), 1 / 16)
    made = torch.cat([sink, to_class, looking(0, 1), uniform], dim=1)
    tags = head_tags(head_statistics([made], replace(c, heads=4), GRID))
    assert tags == [[["sink", "class token", "positional", "global"]]]
