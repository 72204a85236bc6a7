"""Sinks: tokens that soak up attention, their size, and rollout without them.

The phenomenon, and registers as its cure: Darcet et al. 2024, "Vision Transformers Need Registers", arXiv 2309.16588.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from visualize.stats import token_norms
from visualize.tokens import read_out_row
from vit.config import ViTConfig
from vit.model import ViTOutput

TIMES = 5.0  # how many even shares make a sink; the threshold is ours


@dataclass(frozen=True)
class Sink:
    """One token that soaks up attention, in one image. Layers count from 0."""

    token: int  # index among all tokens
    times: float  # the most it receives at any layer, mean over heads and queries, in even shares (1 / tokens)
    peak: int  # that layer
    since: int  # the first layer at which it receives at least the threshold; depth if it never does
    norm: float  # its largest norm behind any layer, over the median norm of all tokens there


def received_attention(attentions: Sequence[Tensor]) -> Tensor:
    """What every token receives at each layer, mean over heads and queries, in even shares: [depth B tokens].

    1 is an even share, 1 / tokens of all attention; the mean over tokens is 1.
    """
    return torch.stack([a.mean(dim=(1, 2)) * a.shape[-1] for a in attentions])


def relative_norms(output: ViTOutput) -> Tensor:
    """Norm of every token behind each layer over the median norm there: [depth B tokens]; 1 is ordinary."""
    return torch.stack([token_norms(x) for x in output.tokens[1:]])


def find_sinks(
    attention: Tensor, norms: Tensor, config: ViTConfig, *, times: float = TIMES, most: int = 8
) -> list[Sink]:
    """The sinks of one image, from `received_attention` and `relative_norms` [depth tokens].

    A sink receives at least `times` even shares at some layer. Class token, distillation token and registers are
    always listed, in front, as they are there to be looked at; then at most `most` patches, most attended first.
    """
    depth, _tokens = attention.shape
    peaks = attention.max(dim=0)
    over = (attention >= times).int()
    since = torch.where(over.any(dim=0), over.argmax(dim=0), depth)
    largest = norms.amax(dim=0)

    def sink(token: int) -> Sink:
        values = peaks.values[token], peaks.indices[token], since[token], largest[token]
        share, peak, first, norm = (value.item() for value in values)
        return Sink(token, share, int(peak), int(first), norm)

    order = peaks.values.argsort(descending=True, stable=True).tolist()
    patches = [token for token in order if token >= config.prefix and peaks.values[token] >= times]
    return [sink(token) for token in (*range(config.prefix), *patches[:most])]


def without_tokens(attentions: Sequence[Tensor], tokens: Sequence[int] | Tensor) -> list[Tensor]:
    """The attentions [B head query key] with nothing given to `tokens` and rows renormalised; new tensors.

    `tokens` are indices, the same for all images. A row that gave them everything keeps to its own token. Their own
    rows stay. Raises ValueError when no token would be left.
    """
    chosen = torch.as_tensor(tokens, dtype=torch.long).unique().tolist()
    kept = []
    for attention in attentions:
        if len(chosen) >= attention.shape[-1]:
            raise ValueError("At least one token must be left.")
        rest = attention.clone()
        rest[..., chosen] = 0
        mass = rest.sum(dim=-1, keepdim=True)
        eye = torch.eye(rest.shape[-1], dtype=rest.dtype, device=rest.device)
        kept.append(torch.where(mass > 0, rest / mass.where(mass > 0, torch.ones_like(mass)), eye))
    return kept


def rollout_row(
    attentions: Sequence[Tensor], config: ViTConfig, *, residual: float = 0.5, without: Sequence[int] = ()
) -> Tensor:
    """The read-out row of `visualize.rollout` over mean heads, [B tokens], without the whole product.

    One vector times a matrix per layer, from the last layer down, instead of a matrix times a matrix. `without` are
    tokens that are given nothing, as if the attentions came from `without_tokens`.
    """
    first = attentions[-1]
    eye = torch.eye(first.shape[-1], dtype=first.dtype, device=first.device)
    kept = torch.ones_like(eye[0])
    kept[list(without)] = 0
    row = read_out_row(eye, config).expand(len(first), -1)
    for attention in reversed(attentions):
        fused = attention.mean(dim=1)  # [B query key]
        mass = fused @ kept  # [B query], what is left of each row
        some = mass > 0
        spread = torch.where(some, row / mass.where(some, torch.ones_like(mass)), torch.zeros_like(row))
        given = (spread[:, None] @ fused)[:, 0] * kept + torch.where(some, torch.zeros_like(row), row)
        row = (1 - residual) * given + residual * row
    return row
