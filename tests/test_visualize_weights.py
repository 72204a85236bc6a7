"""What the weights alone show: filters, positions, norms."""

import pytest
import torch
from small_models import OPTIONS, tiny

from visualize.weights import patch_filters, position_similarity, weight_norms


@pytest.mark.parametrize("option", ["plain", "grey", "not square"])
def test_all_components_rebuild_the_filters(option):
    model = tiny(**OPTIONS[option])
    weight = model.patch_embedding.projection.weight.detach()
    filters = patch_filters(model, None)
    torch.testing.assert_close(filters.rebuilt(), weight, atol=1e-5, rtol=1e-4)
    assert filters.shares.sum().item() == pytest.approx(1, abs=1e-5)
    flat = filters.components.flatten(1)
    torch.testing.assert_close(flat @ flat.T, torch.eye(len(flat)), atol=1e-4, rtol=0)


def test_few_components_are_the_best_of_their_number():
    model = tiny()
    weight = model.patch_embedding.projection.weight.detach()
    whole, few = patch_filters(model, None), patch_filters(model, 5)
    assert few.components.shape == (5, 3, 8, 8)
    torch.testing.assert_close(few.components, whole.components[:5])
    lost = (weight - few.rebuilt()).square().sum() / (weight - weight.mean(0)).square().sum()
    assert lost.item() == pytest.approx(1 - few.shares.sum().item(), abs=1e-4)
    assert (few.shares.diff() <= 0).all()
    assert (few.components.flatten(1).amax(1) >= -few.components.flatten(1).amin(1)).all()  # the sign is fixed


def test_filters_that_vary_in_one_way_have_one_component():
    model = tiny()
    pattern = torch.randn(3, 8, 8)
    with torch.no_grad():
        model.patch_embedding.projection.weight.copy_(torch.randn(48, 1, 1, 1) * pattern)
    filters = patch_filters(model, 2)
    assert filters.shares.tolist() == pytest.approx([1, 0], abs=1e-5)
    unit = pattern / pattern.norm()
    assert (filters.components[0] * unit).sum().abs().item() == pytest.approx(1, abs=1e-5)


def test_no_components_are_refused():
    with pytest.raises(ValueError, match="count must be at least 1"):
        patch_filters(tiny(), 0)


@pytest.mark.parametrize("option", OPTIONS)
def test_a_position_is_most_like_itself_whatever_the_model(option):
    model = tiny(**OPTIONS[option])
    rows, cols = model.config.grid
    for grid in ((rows, cols), (rows + 1, cols + 2)):
        likeness = position_similarity(model, grid)
        assert likeness.shape == (*grid, *grid)
        square = likeness.reshape(grid[0] * grid[1], -1)
        torch.testing.assert_close(square.diagonal(), torch.ones(len(square)), atol=1e-5, rtol=0)
        torch.testing.assert_close(square, square.T)
        assert square.abs().max() <= 1 + 1e-5


def test_position_similarity_by_hand():
    model = tiny(width=12, image_size=(8, 24))  # one row of three patches
    with torch.no_grad():
        positions = torch.zeros(4, 12)  # of the class token, then of the patches
        positions[1:, 0] = torch.tensor([1.0, 1.0, -2.0])
        positions[2, 1] = 1.0
        assert model.patch_embedding.positions is not None
        model.patch_embedding.positions.copy_(positions)
    likeness = position_similarity(model)[0, :, 0]
    root = 0.5**0.5
    expected = torch.tensor([[1, root, -1], [root, 1, -root], [-1, -root, 1]])
    torch.testing.assert_close(likeness, expected)


@pytest.mark.parametrize("option", ["plain", "swiglu", "no biases"])
def test_norms_by_hand(option):
    model = tiny(**OPTIONS[option])
    norms = weight_norms(model)
    assert list(norms) == ["query", "key", "value", "projection", "MLP in", "MLP out"]
    assert all(values.shape == (3,) for values in norms.values())
    block = model.blocks[1]
    key = block.self_attn.qkv.weight[48:96]
    assert norms["key"][1].item() == pytest.approx((key.square().sum() / key.numel()).sqrt().item())
    assert norms["MLP out"][1].item() == pytest.approx(block.feed_forward.fc2.weight.square().mean().sqrt().item())
