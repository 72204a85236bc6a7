"""Attention of a query: the plain weights of one layer."""

from torch import Tensor

from visualize.methods.base import Method, Target, check_choice, check_layer, check_whole
from visualize.tokens import Query, query_row, to_grid
from vit.model import ViT

FUSE = ("mean", "min", "max")


def fuse_heads(attention: Tensor, how: str) -> Tensor:
    """Mean, min or max over the heads: [B head query key] to [B query key]."""
    return {"mean": attention.mean, "min": attention.amin, "max": attention.amax}[how](dim=1)


def run(
    model: ViT,
    pixels: Tensor,
    target: Target,
    *,
    layer: int = -1,
    head: int | None = None,
    fuse: str = "mean",
    query: Query = None,
) -> Tensor:
    """A_l[h, q, patches], or its mean, min or max over heads: [B rows cols]. Nothing is renormalised.

    `layer` counts from 0 (negative from the end); `head` picks one head, else `fuse` is "mean", "min" or "max";
    `query` is None (the read-out row), "class", (row, col) of a patch or a token's index.
    """
    layer = check_layer(layer, model.config.depth)
    check_choice("fuse", fuse, FUSE)
    if head is not None:
        check_whole("head", head, 0, model.config.heads - 1)
    output = model.trace(pixels)
    attention = output.attentions[layer]  # [B head query key]
    fused = fuse_heads(attention, fuse) if head is None else attention[:, head]
    return to_grid(query_row(fused, model.config, output.grid, query), output.grid, output.prefix)


METHOD = Method(
    name="attention",
    label="Attention",
    needs_target=False,
    paper="Dosovitskiy et al. 2021, arXiv 2010.11929, appendix D.8",
    shows="How much one token takes from each patch in one layer.",
    limits="It does not show which class the patch speaks for, nor what was mixed into that patch in earlier layers.",
    run=run,
)
