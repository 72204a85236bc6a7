"""Attention flow: small networks by hand, against every cut of a network, and pooled cells."""

from itertools import product

import numpy as np
import pytest
import torch
from visual_models import images, tiny

from visualize import explain
from visualize.methods.attention_flow import cells_of, flows


def test_one_layer_is_the_source_times_what_it_gives():
    step = np.array([[[0.5, 0.3, 0.2], [0.1, 0.9, 0.0], [0.0, 0.0, 1.0]]])
    np.testing.assert_allclose(flows(step, np.array([1.0, 0.0, 0.0]), range(3)), [0.5, 0.3, 0.2], atol=1e-6)
    # Two tokens are read, each with a half of what goes out: 0.5 and 0.5 leave, the second can send all of it to 1.
    np.testing.assert_allclose(flows(step, np.array([0.5, 0.5, 0.0]), range(1, 2)), [0.3 + 0.5], atol=1e-6)


def test_two_layers_by_hand():
    """From token 0 to token 1 below: over token 0 min(0.6, 0.3), over token 1 min(0.4, 0.9): 0.3 + 0.4."""
    first = [[0.7, 0.3], [0.1, 0.9]]
    last = [[0.6, 0.4], [0.2, 0.8]]
    got = flows(np.array([first, last]), np.array([1.0, 0.0]), range(2))
    np.testing.assert_allclose(got, [0.6 + 0.1, 0.3 + 0.4], atol=1e-6)


def smallest_cut(steps: np.ndarray, sink: int) -> float:
    """The cheapest way to cut token 0 above off a token below, over all subsets of the nodes between them."""
    layers, nodes, _ = steps.shape
    between = [(level, node) for level in range(1, layers) for node in range(nodes)]
    best = np.inf
    for chosen in product((False, True), repeat=len(between)):
        reached = dict(zip(between, chosen, strict=True))
        reached |= {(layers, node): node == 0 for node in range(nodes)} | {
            (0, node): node != sink for node in range(nodes)
        }
        cost = sum(
            steps[level, i, j]
            for level in range(layers)
            for i, j in product(range(nodes), repeat=2)
            if reached[level + 1, i] and not reached[level, j]
        )
        best = min(best, cost)
    return best


@pytest.mark.parametrize("seed", range(3))
def test_the_largest_flow_is_the_smallest_cut(seed):
    steps = np.random.default_rng(seed).dirichlet(np.full(3, 0.5), (3, 3))
    expected = [smallest_cut(steps, sink) for sink in range(3)]
    np.testing.assert_allclose(flows(steps, np.array([1.0, 0.0, 0.0]), range(3)), expected, atol=1e-5)


def test_uniform_attention_flows_alike_to_every_patch():
    model = tiny("class")
    with torch.no_grad():
        for block in model.blocks:
            block.self_attn.qkv.weight.zero_()
            block.self_attn.qkv.bias.zero_()
    heatmap = explain(model, images(), "attention_flow")
    torch.testing.assert_close(heatmap, heatmap[:1, :1, :1].expand_as(heatmap))


def test_cells_are_alike_in_size_and_small_grids_stay_as_they_are():
    cell, shape = cells_of((2, 3), 7)
    assert shape == (2, 3)
    assert cell.tolist() == list(range(6))
    cell, shape = cells_of((16, 14), 7)
    assert shape == (7, 7)
    counts = torch.bincount(cell)
    assert len(counts) == 49
    assert set(counts.tolist()) == {4, 6}  # two columns each; two or three rows


def test_patches_of_a_cell_share_its_value():
    heatmap = explain(tiny("class"), images(), "attention_flow", cells=1)
    assert heatmap.std(dim=(1, 2)).tolist() == [0.0, 0.0]
    assert ((heatmap > 0) & (heatmap <= 1)).all()


def test_options_are_checked():
    with pytest.raises(ValueError, match="cells must be a whole number"):
        explain(tiny("class"), images(), "attention_flow", cells=0)
