"""Sinks by hand, and rollout without them."""

import pytest
import torch
from visual_models import KINDS, images, tiny

from visualize import rollout
from visualize.sinks import find_sinks, received_attention, relative_norms, rollout_row, without_tokens
from visualize.tokens import read_out_row
from vit.config import ViTConfig

CONFIG = ViTConfig(image_size=32, patch_size=16, width=12, depth=3, heads=2, hidden=8, registers=1)  # 2 + 4 tokens


def test_even_attention_is_one_share_each():
    even = torch.full((2, 3, 5, 5), 1 / 5)
    torch.testing.assert_close(received_attention([even, even]), torch.ones(2, 2, 5))


def test_received_attention_by_hand():
    a = torch.tensor([[[[0.5, 0.5], [1.0, 0.0]], [[0.5, 0.5], [0.0, 1.0]]]])  # two heads, two tokens
    assert received_attention([a])[0, 0].tolist() == pytest.approx([2 * (0.75 + 0.25) / 2, 2 * (0.25 + 0.75) / 2])
    one = torch.zeros(1, 1, 4, 4)
    one[..., 2] = 1
    assert received_attention([one])[0, 0].tolist() == [0, 0, 4, 0]


def test_norms_are_against_the_median():
    model = tiny()
    with torch.no_grad():
        output = model.trace(images())
    norms = relative_norms(output)
    assert norms.shape == (3, 2, 7)
    torch.testing.assert_close(norms.median(-1).values, torch.ones(3, 2))
    last = output.tokens[-1][1].norm(dim=-1)
    torch.testing.assert_close(norms[-1, 1], last / last.median())


def test_sinks_are_found_with_their_layer():
    # Tokens: class, register, four patches. The third patch soaks from layer 1 on, the first only in layer 0.
    received = torch.tensor([[6.0, 0.1, 5.0, 0.1, 0.1, 0.1], [1, 0.5, 1, 1, 5.5, 1], [1, 0.5, 1, 1, 8, 1.0]])
    norms = torch.ones(3, 6)
    norms[1, 4] = 7
    found = find_sinks(received, norms, CONFIG)
    assert [s.token for s in found] == [0, 1, 4, 2]  # class token, register, then patches by what they receive
    by_token = {s.token: s for s in found}
    assert (by_token[4].times, by_token[4].peak, by_token[4].since, by_token[4].norm) == (8, 2, 1, 7)
    assert (by_token[2].peak, by_token[2].since) == (0, 0)
    assert by_token[1].since == 3  # the register never is one
    assert [s.token for s in find_sinks(received, norms, CONFIG, most=1)] == [0, 1, 4]
    assert [s.token for s in find_sinks(received, norms, CONFIG, times=9)] == [0, 1]


def test_without_tokens_by_hand():
    a = torch.tensor([[[[0.5, 0.25, 0.25], [0.2, 0.2, 0.6], [0.0, 0.0, 1.0]]]])
    (kept,) = without_tokens([a], [2])
    expected = torch.tensor([[2 / 3, 1 / 3, 0], [0.5, 0.5, 0], [0, 0, 1]])  # the last row gave all: keeps to itself
    torch.testing.assert_close(kept[0, 0], expected)
    assert a[0, 0, 0, 2] == 0.25
    (same,) = without_tokens([a], [])
    torch.testing.assert_close(same, a)
    with pytest.raises(ValueError, match="At least one token"):
        without_tokens([a], [0, 1, 2])


def test_rollout_without_a_token_draws_on_it_only_through_itself():
    a = [torch.randn(2, 3, 6, 6).softmax(-1) for _ in range(3)]
    flow = rollout(without_tokens(a, [4]))
    others = [i for i in range(6) if i != 4]
    assert flow[:, others, 4].abs().max() < 1e-6
    torch.testing.assert_close(flow.sum(-1), torch.ones(2, 6))


@pytest.mark.parametrize("kind", KINDS)
def test_one_row_of_rollout_equals_the_whole(kind):
    model = tiny(kind)
    with torch.no_grad():
        attentions = model.trace(images()).attentions
    whole = rollout(attentions, residual=0.3, prefix=model.config.prefix)
    row = rollout_row(attentions, model.config, residual=0.3)
    torch.testing.assert_close(row, read_out_row(whole, model.config))


@pytest.mark.parametrize("kind", KINDS)
def test_one_row_without_tokens_equals_the_whole_without_them(kind):
    model = tiny(kind)
    with torch.no_grad():
        attentions = [a.mean(dim=1, keepdim=True) for a in model.trace(images()).attentions]
    attentions[1][:, :, 3] = torch.eye(attentions[1].shape[-1])[4]  # a row that gives all to one of them
    whole = rollout(without_tokens(attentions, [4, 5]), prefix=model.config.prefix)
    row = rollout_row(attentions, model.config, without=[4, 5])
    torch.testing.assert_close(row, read_out_row(whole, model.config))
