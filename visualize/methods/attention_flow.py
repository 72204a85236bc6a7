"""Attention flow: how much can stream from the read-out token down to each part of the photo, all layers at once."""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_flow
from torch import Tensor

from visualize.methods.attention import FUSE, fuse_heads
from visualize.methods.base import Method, Target, check_choice, check_number, check_whole
from visualize.methods.rollout import with_residual
from visualize.tokens import Grid, read_out_row
from vit.model import ViT

UNIT = 1_000_000  # SciPy's flows are whole numbers: a capacity of 1 becomes this many


def cells_of(grid: Grid, cells: int) -> tuple[Tensor, Grid]:
    """Which cell each patch belongs to, [patches], and the rows and columns of cells: at most `cells` of each."""
    rows, cols = min(grid[0], cells), min(grid[1], cells)
    row, col = torch.arange(grid[0]) * rows // grid[0], torch.arange(grid[1]) * cols // grid[1]
    return (row[:, None] * cols + col).flatten(), (rows, cols)


def flows(steps: NDArray[np.float64], source: NDArray[np.float64], sinks: range) -> NDArray[np.float64]:
    """Maximum flow from the read-out to each node below the first layer: [sinks].

    `steps` [layers node node] are the capacities from a node above a layer to one below it, first layer first;
    `source` [node] those from the read-out to the nodes above the last layer. One problem for each of the `sinks`.
    """
    layers, nodes, _ = steps.shape
    start = (layers + 1) * nodes  # above everything; node i in front of layer l is l * nodes + i
    above, below = np.meshgrid(np.arange(nodes), np.arange(nodes), indexing="ij")
    lift = nodes * np.arange(layers)[:, None, None]
    tails = np.concatenate([(above + nodes + lift).ravel(), np.full(nodes, start)])
    heads = np.concatenate([(below + lift).ravel(), np.arange(nodes) + layers * nodes])
    capacity = np.rint(UNIT * np.concatenate([steps.ravel(), source])).astype(np.int32)
    some = capacity > 0
    graph = csr_array((capacity[some], (tails[some], heads[some])), shape=(start + 1, start + 1))
    return np.array([maximum_flow(graph, start, sink).flow_value for sink in sinks]) / UNIT


def run(
    model: ViT, pixels: Tensor, target: Target, *, heads: str = "mean", residual: float = 0.5, cells: int = 7
) -> Tensor:
    """Maximum flow from the read-out to each cell through the layers, capacities Ã_l as in rollout: [B rows cols].

    At all tokens this takes minutes, so patches are pooled to at most `cells` × `cells` cells first (a cell's row is
    the mean of its patches' rows, its column their sum); every patch of a cell has the cell's value, from 0 to 1.
    Source: Abnar and Zuidema 2020, arXiv 2005.00928, section 3; flows by Dinic's algorithm in SciPy.
    """
    check_choice("heads", heads, FUSE)
    check_number("residual", residual, 0, 1)
    check_whole("cells", cells, 1, 32)
    output = model.trace(pixels)
    prefix, tokens = output.prefix, output.attentions[0].shape[-1]
    cell, (rows, cols) = cells_of(output.grid, cells)
    node = torch.cat([torch.arange(prefix), prefix + cell])  # [token]
    member = torch.nn.functional.one_hot(node, prefix + rows * cols).double()  # [token node]
    source = read_out_row(torch.eye(tokens, dtype=torch.float64), model.config) @ member
    fused = (
        torch.stack([fuse_heads(a, heads) for a in output.attentions], dim=1).cpu().double()
    )  # [B layer token token]
    pooled = (member / member.sum(dim=0)).T @ fused @ member  # [B layer node node]
    maps = []
    for image in pooled:
        steps = with_residual(image, residual).numpy()
        maps.append(flows(steps, source.numpy(), range(prefix, prefix + rows * cols))[cell.numpy()])
    return torch.from_numpy(np.stack(maps)).to(pixels).view(-1, *output.grid)


METHOD = Method(
    name="attention_flow",
    label="Attention flow",
    needs_target=False,
    paper="Abnar and Zuidema 2020, arXiv 2005.00928",
    shows="How much attention can stream from the token that is read down to each part of the photo, in 7 × 7 parts.",
    limits="It does not show what the upper layers do: the narrowest decides, mostly the lowest. It knows no classes.",
    run=run,
)
