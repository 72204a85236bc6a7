"""What each layer and each patch says, and who changes the read-out token: by hand, and on models of every kind."""

import pytest
import torch
from visual_models import KINDS, images, tiny

from visualize import explain
from visualize.layers import (
    course,
    layer_probabilities,
    patch_predictions,
    read_out_cosine,
    read_out_states,
    update_lengths,
    update_shares,
)

WITH_HEAD = [kind for kind in KINDS if "headless" not in kind]
PER_PATCH = [kind for kind in WITH_HEAD if kind != "class_mean"]


def traced(kind: str):
    model = tiny(kind)
    with torch.no_grad():
        return model, model.trace(images())


@pytest.mark.parametrize("kind", WITH_HEAD)
def test_the_last_layer_is_the_prediction_exactly(kind):
    model, output = traced(kind)
    with torch.no_grad():
        shares = layer_probabilities(model, output)
        assert output.logits is not None
        assert torch.equal(model.layer_logits(output)[-1], output.logits)
    assert torch.equal(shares[-1], output.logits.softmax(-1))
    assert shares.shape == (3, 2, 4)
    torch.testing.assert_close(shares.sum(-1), torch.ones(3, 2))


@pytest.mark.parametrize(
    ("leaders", "first", "settled", "flips"),
    [
        ([2, 2, 2], 0, 0, ()),
        ([0, 1, 2], 2, 2, (1, 2)),
        ([2, 0, 2, 2], 0, 2, (1, 2)),
        ([0, 2, 1, 1, 2], 1, 4, (1, 2, 4)),
        ([3], 0, 0, ()),
    ],
)
def test_course_by_hand(leaders, first, settled, flips):
    shares = torch.full((len(leaders), 4), 0.1)
    for layer, leader in enumerate(leaders):
        shares[layer, leader] = 0.7
    found = course(shares)
    assert found.leaders == tuple(leaders)
    assert (found.first, found.settled, found.flips) == (first, settled, flips)


def test_course_of_a_batch_is_refused():
    with pytest.raises(ValueError, match=r"Expected probabilities \[depth classes\]"):
        course(torch.zeros(3, 2, 4))


@pytest.mark.parametrize("kind", KINDS)
def test_cosine_ends_at_one_and_equals_the_definition(kind):
    model, output = traced(kind)
    states = read_out_states(model, output)
    cosine = read_out_cosine(model, output)
    assert cosine.shape == (4, 2)
    torch.testing.assert_close(cosine[-1], torch.ones(2))
    one, last = states[1, 0], states[-1, 0]
    assert cosine[1, 0].item() == pytest.approx((one @ last / one.norm() / last.norm()).item(), abs=1e-5)


def test_read_out_states_are_what_the_head_reads():
    for kind, expected in {
        "class": lambda x: x[:, 0],
        "distillation": lambda x: x[:, :2].mean(1),
        "mean": lambda x: x.mean(1),
        "mean_tokens": lambda x: x[:, 1:].mean(1),
        "class_mean": lambda x: torch.cat([x[:, 0], x[:, 1:].mean(1)], -1),
        "headless": lambda x: x[:, 0],
    }.items():
        model, output = traced(kind)
        torch.testing.assert_close(read_out_states(model, output)[2], expected(output.tokens[2]))


@pytest.mark.parametrize("kind", KINDS)
def test_lengths_of_the_updates_equal_a_pass_by_hand(kind):
    """Attention's update, computed through all tokens as the block does it, then read out."""
    model, output = traced(kind)
    attention, mlp = update_lengths(model, output)
    read = read_out_states(model, output)
    with torch.no_grad():
        for layer, block in enumerate(model.blocks):
            x = output.tokens[layer]
            middle = block.residual1(x, block.self_attn)
            between = type(output)(None, output.attentions, (middle,), output.grid, output.prefix)
            state = read_out_states(model, between)[0]
            torch.testing.assert_close(attention[layer], (state - read[layer]).norm(dim=-1), rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(mlp[layer], (read[layer + 1] - state).norm(dim=-1), rtol=1e-4, atol=1e-5)
    shares = update_shares(model, output)
    torch.testing.assert_close(shares, attention / (attention + mlp))


def test_an_mlp_that_does_nothing_has_no_share():
    model = tiny()
    with torch.no_grad():
        for block in model.blocks:
            block.feed_forward.fc2.weight.zero_()
            block.feed_forward.fc2.bias.zero_()
        output = model.trace(images())
        shares = update_shares(model, output)
    torch.testing.assert_close(shares, torch.ones(3, 2), atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", PER_PATCH)
def test_patches_say_what_the_head_says_of_each_token(kind):
    model, output = traced(kind)
    with torch.no_grad():
        said = patch_predictions(model, output, [3, 1])
        shares = model.layer_logits(output, "all").softmax(-1)[:, :, output.prefix :]
    rows, cols = output.grid
    assert torch.equal(said.best.flatten(2), shares.argmax(-1))
    torch.testing.assert_close(said.probability.flatten(2), shares.amax(-1))
    assert said.maps.shape == (3, 2, 2, rows, cols)
    torch.testing.assert_close(said.maps[:, :, 0].flatten(2), shares[..., 3])
    torch.testing.assert_close(said.maps[:, :, 1].flatten(2), shares[..., 1])
    torch.testing.assert_close(said.maps[-1, :, 0], explain(model, images(), "class_patches", 3))


def test_models_whose_patches_say_nothing_say_so():
    with pytest.raises(ValueError, match="reads the class token and the patches' mean together"):
        patch_predictions(*traced("class_mean"))
    with pytest.raises(ValueError, match="no classification head"):
        patch_predictions(*traced("headless"))
    with pytest.raises(ValueError, match="between 0 and 3"):
        patch_predictions(*traced("class"), [4])
