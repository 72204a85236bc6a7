"""Attention rollout: attention followed through all layers, the residual connections included."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from visualize.methods.attention import FUSE, fuse_heads
from visualize.methods.base import Method, Target, check_choice, check_layer, check_number, check_whole
from visualize.tokens import Query, query_row, to_grid
from vit.model import ViT

COMPAT = (None, "vit-explain")


def discard_smallest(fused: Tensor, share: float, prefix: int) -> Tensor:
    """Zero the smallest `share` of what each patch gives to the patches: [B query key], a new tensor.

    Counted per query row and per image; rows and columns of prefix tokens are never touched. Equal values go in
    the order of their columns.
    """
    patches = fused.shape[-1] - prefix
    count = int(share * patches)
    if count == 0:
        return fused
    inner = fused[:, prefix:, prefix:]
    smallest = inner.argsort(dim=-1, stable=True)[..., :count]
    result = fused.clone()
    result[:, prefix:, prefix:] = inner.scatter(-1, smallest, 0.0)
    return result


def with_residual(fused: Tensor, residual: float) -> Tensor:
    """(1 − α) A + α I with rows renormalised: [B query key]. A row of zeros keeps its own token."""
    eye = torch.eye(fused.shape[-1], dtype=fused.dtype, device=fused.device)
    mixed = (1 - residual) * fused + residual * eye
    sums = mixed.sum(dim=-1, keepdim=True)
    return torch.where(sums > 0, mixed / sums.where(sums > 0, torch.ones_like(sums)), eye)


def as_vit_explain(fused: Tensor, share: float) -> Tensor:
    """One layer as the reference code computes it, its two slips included: [1 query key] to [1 query key].

    The smallest entries are taken over the whole matrix, where only the very first cell is protected, and the
    division by row sums runs along the columns.
    """
    flat = fused.flatten(1).clone()
    smallest = flat.topk(int(flat.shape[1] * share), dim=-1, largest=False).indices
    flat[0, smallest[smallest != 0]] = 0
    mixed = (flat.view_as(fused) + torch.eye(fused.shape[-1], dtype=fused.dtype, device=fused.device)) / 2
    return mixed / mixed.sum(dim=-1)


def rollout_layers(
    layers: Sequence[Tensor], *, discard: float, residual: float, prefix: int, compat: str | None = None
) -> Iterator[Tensor]:
    """The running product Ã_l … Ã_0 after each layer, from maps already fused over heads, each [B query key]."""
    product = None
    for fused in layers:
        if compat == "vit-explain":
            step = as_vit_explain(fused, discard)
        else:
            step = with_residual(discard_smallest(fused, discard, prefix), residual)
        product = step if product is None else step @ product
        yield product


def rollout_by_layer(
    attentions: Sequence[Tensor],
    *,
    heads: str = "mean",
    discard: float = 0.0,
    residual: float = 0.5,
    start_layer: int = 0,
    end_layer: int = -1,
    prefix: int = 1,
    compat: str | None = None,
) -> list[Tensor]:
    """`rollout` stopped after each layer from start_layer to end_layer: a list of [B tokens tokens].

    Costs no more than the last one alone. Arguments and errors as in `rollout`.
    """
    depth = len(attentions)
    if depth == 0:
        raise ValueError("Rollout needs the attention of at least one layer.")
    check_choice("heads", heads, FUSE)
    check_choice("compat", compat, COMPAT)
    check_number("discard", discard, 0, 1, closed=False)
    check_number("residual", residual, 0, 1)
    shapes = {tuple(a.shape) for a in attentions}
    shape = attentions[0].shape
    if len(shape) != 4 or shape[2] != shape[3] or len({(s[0], *s[2:]) for s in shapes}) != 1:
        raise ValueError(f"Expected attentions [B head query key] of one size, got {sorted(map(list, shapes))}.")
    check_whole("prefix", prefix, 0, shape[-1] - 1)
    start, end = check_layer(start_layer, depth, "start_layer"), check_layer(end_layer, depth, "end_layer")
    if start > end:
        raise ValueError(f"start_layer ({start}) lies after end_layer ({end}).")
    if compat is not None and shape[0] != 1:
        raise ValueError('compat="vit-explain" reproduces code that handles one image at a time: pass one image.')
    if compat is not None and (residual != 0.5 or prefix != 1):
        raise ValueError('compat="vit-explain" has residual 0.5 and one prefix token; other values do not exist there.')
    # Half precision would round the small shares of distant layers away.
    fused = (fuse_heads(a.float() if a.element_size() < 4 else a, heads) for a in attentions[start : end + 1])
    return list(rollout_layers(list(fused), discard=discard, residual=residual, prefix=prefix, compat=compat))


def rollout(
    attentions: Sequence[Tensor],
    *,
    heads: str = "mean",
    discard: float = 0.0,
    residual: float = 0.5,
    start_layer: int = 0,
    end_layer: int = -1,
    prefix: int = 1,
    compat: str | None = None,
) -> Tensor:
    """Attention rollout of attentions [B head query key] over layers: [B tokens tokens], its rows sum to 1.

    Ã_l = (1 − residual) · fuse_h(A_l) + residual · I with rows renormalised; the result is Ã_end … Ã_start, whose
    row q says where token q's content came from. `heads`: "mean", "min" or "max". `discard`: share of the smallest
    entries, per query row, zeroed before the product; rows and columns of the first `prefix` tokens are kept.
    `end_layer` is included; negative layers count from the end.

    `compat="vit-explain"` repeats that reference code for one image, slips included (it divides columns by row
    sums, and its discard protects one cell only); rows then do not sum to 1.
    Raises ValueError for values outside these. Source: Abnar and Zuidema 2020, arXiv 2005.00928, equation 1.
    """
    return rollout_by_layer(
        attentions,
        heads=heads,
        discard=discard,
        residual=residual,
        start_layer=start_layer,
        end_layer=end_layer,
        prefix=prefix,
        compat=compat,
    )[-1]


def run(
    model: ViT,
    pixels: Tensor,
    target: Target,
    *,
    heads: str = "mean",
    discard: float = 0.0,
    residual: float = 0.5,
    start_layer: int = 0,
    end_layer: int = -1,
    query: Query = None,
    compat: str | None = None,
) -> Tensor:
    """One row of `rollout`, on the grid: [B rows cols]. `query` as in `attention`, the rest as in `rollout`."""
    output = model.trace(pixels)
    matrix = rollout(
        output.attentions,
        heads=heads,
        discard=discard,
        residual=residual,
        start_layer=start_layer,
        end_layer=end_layer,
        prefix=output.prefix,
        compat=compat,
    )
    return to_grid(query_row(matrix, model.config, output.grid, query), output.grid, output.prefix)


METHOD = Method(
    name="rollout",
    label="Attention rollout",
    needs_target=False,
    paper="Abnar and Zuidema 2020, arXiv 2005.00928",
    shows="Where the information of one token came from, followed back through all layers and their residuals.",
    limits="It does not know about classes, and it ignores what the MLPs and the values do with that information.",
    run=run,
)
