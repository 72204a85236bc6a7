"""What every head does, in numbers and in one word each. Attention is [B head query key] after softmax."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from visualize.stats import (
    attention_distance,
    attention_entropy,
    locality,
    patch_distances,
    patches_only,
    prefix_attention,
    self_attention,
    sink_share,
)
from visualize.tokens import Grid
from vit.config import ViTConfig

TAGS = ("sink", "class token", "positional", "local", "global", "mixed")  # the first that fits
# What a tag asks for. Shares are of the patches' attention, except the positional one, which is of the patches.
SINK, CLASS_TOKEN, POSITIONAL = 0.3, 0.3, 0.5
LOCAL, GLOBAL = 0.5, 0.8  # parts of the distance that attention spread evenly over the patches would have


@dataclass(frozen=True, eq=False)
class HeadStatistics:
    """Numbers about all heads of all layers, each [depth B head] unless said. Shares lie in 0 … 1."""

    distance: Tensor  # mean attention distance in pixels
    entropy: Tensor  # 1 is uniform, 0 a single token
    class_token: Tensor  # share of the patches' attention on class and distillation token
    registers: Tensor  # … on all registers together
    itself: Tensor  # … on the patch that asks
    locality: Tensor  # … on the patch that asks and its up to 8 neighbours
    sinks: Tensor  # share of all attention on the top 1% of the tokens that are no class or distillation token
    positional: Tensor  # share of the patches whose most attended patch lies at one and the same offset
    offset: Tensor  # [depth B head 2] that offset in patches: rows down, columns to the right
    uniform_distance: float  # the distance of attention spread evenly over the patches, in pixels


def common_offset(attention: Tensor, grid: Grid, prefix: int = 1) -> tuple[Tensor, Tensor]:
    """How far a head follows position alone: share [B head] and offset [B head 2].

    The share is that of the patches whose most attended patch lies at the commonest offset, and the offset is counted
    in patches: rows down, columns to the right; (0, 0) is the patch itself.

    A head that always looks k patches to the right scores (columns − k) / columns: the border has no such patch.
    Source: Voita et al. 2019, arXiv 1905.09418, section 5.1 (their threshold is 0.9, over sentences).
    """
    rows, cols = grid
    weights = patches_only(attention, grid, prefix)
    most = weights.argmax(dim=-1)  # [B head patches]
    here = torch.arange(rows * cols, device=most.device)
    down, right = most // cols - here // cols, most % cols - here % cols
    wide = 2 * cols - 1
    code = (down + rows - 1) * wide + right + cols - 1  # one whole number per offset, from 0
    counts = torch.zeros(*most.shape[:2], (2 * rows - 1) * wide, device=most.device)
    counts.scatter_add_(-1, code, torch.ones_like(code, dtype=counts.dtype))
    top = counts.max(dim=-1)
    offset = torch.stack([top.indices // wide - rows + 1, top.indices % wide - cols + 1], dim=-1)
    return top.values / (rows * cols), offset


def head_statistics(attentions: Sequence[Tensor], config: ViTConfig, grid: Grid) -> HeadStatistics:
    """All numbers about all heads, from the attentions of one `trace`. Each single number has its own function in
    `visualize.stats`, which says what it means and where it comes from."""
    prefix, patch = config.prefix, config.patch_size
    read = prefix - config.registers  # class and distillation token
    columns: list[list[Tensor]] = [[] for _ in range(9)]
    for attention in attentions:
        given = prefix_attention(attention, prefix)
        share, offset = common_offset(attention, grid, prefix)
        values = (
            attention_distance(attention, grid, patch, prefix),
            attention_entropy(attention),
            given[..., :read].sum(dim=-1),
            given[..., read:].sum(dim=-1),
            self_attention(attention, prefix),
            locality(attention, grid, prefix),
            sink_share(attention[..., read:]),
            share,
            offset,
        )
        for column, value in zip(columns, values, strict=True):
            column.append(value)
    uniform = patch_distances(tuple(grid), patch).mean().item()
    return HeadStatistics(*(torch.stack(column) for column in columns), uniform_distance=uniform)


def head_tags(statistics: HeadStatistics) -> list[list[list[str]]]:
    """One word of `TAGS` per head, [depth][B][head]: the first whose threshold is met.

    "sink": the top 1% of tokens beside the class token receive at least 30% of the attention. "class token": the
    patches give it at least 30%. "positional": at least half of the patches look most at one offset. "local", "global":
    at most half, at least 0.8 of the distance of even attention. "mixed": none of these. The thresholds are ours.
    """
    s = statistics
    met = torch.stack(
        [
            s.sinks >= SINK,
            s.class_token >= CLASS_TOKEN,
            s.positional >= POSITIONAL,
            s.distance <= LOCAL * s.uniform_distance,
            s.distance >= GLOBAL * s.uniform_distance,
            torch.ones_like(s.distance, dtype=torch.bool),
        ],
        dim=-1,
    )
    first = met.int().argmax(dim=-1).tolist()
    return [[[TAGS[i] for i in heads] for heads in batch] for batch in first]
