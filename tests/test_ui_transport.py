"""Attention as bytes: what arrives is what was sent, within the promised error."""

import gzip

import numpy as np
import pytest

from ui import transport


def attention(planes: int, tokens: int, sharp: float = 1.0) -> np.ndarray:
    scores = np.random.default_rng(0).normal(size=(planes, tokens, tokens)) * sharp
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return (weights / weights.sum(-1, keepdims=True)).astype(np.float32)


def test_codes_of_a_row_worked_by_hand():
    # 0.25 of the largest has the code round(255 * sqrt(0.25)) = 128, which decodes to (128/255)² of it.
    codes, largest = transport.quantise(np.array([[0.8, 0.2, 0.0]], np.float32))
    assert codes.tolist() == [[255, 128, 0]]
    assert largest.tolist() == [pytest.approx(0.8)]
    assert transport.dequantise(codes, largest)[0].tolist() == pytest.approx([0.8, 0.8 * (128 / 255) ** 2, 0.0])


@pytest.mark.parametrize("sharp", [0.1, 1.0, 6.0])
def test_every_weight_arrives_within_a_255th_of_its_rows_largest(sharp: float):
    sent = attention(3, 65, sharp)
    arrived = transport.unpack(transport.pack(sent), 3, 65)
    error = np.abs(arrived - sent) / sent.max(-1, keepdims=True)
    assert error.max() <= 1 / 255
    assert (arrived.argmax(-1) == sent.argmax(-1)).mean() > 0.95


def test_small_weights_beside_a_sink_survive():
    row = np.full((1, 1, 200), 0.0005, np.float32)
    row[..., 0] = 1 - row[..., 1:].sum()
    arrived = transport.dequantise(*transport.quantise(row))
    assert arrived[..., 1:].min() > 0.0003  # steps of equal size would round them all to nothing


def test_the_same_attention_is_the_same_file():
    # gzip usually writes the time of day into its header.
    assert transport.pack(attention(1, 5)) == transport.pack(attention(1, 5))
    assert transport.pack(attention(1, 5))[4:8] == bytes(4)


def test_a_row_of_zeros_stays_zero():
    assert not transport.unpack(transport.pack(np.zeros((1, 2, 2), np.float32)), 1, 2).any()


def test_layout_is_largest_weights_then_codes():
    raw = gzip.decompress(transport.pack(attention(2, 5)))
    assert len(raw) == 2 * 5 * 4 + 2 * 5 * 5
    np.testing.assert_allclose(np.frombuffer(raw[:40], "<f4").reshape(2, 5), attention(2, 5).max(-1))
