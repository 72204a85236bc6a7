"""A table of a model's parts, as `torchsummary` prints it, without a forward pass on real numbers."""

import copy
from itertools import chain

import torch
from torch import Tensor, nn

from vit.model import ViT

_Row = tuple[str, list[int], int]  # name, output shape with -1 for the batch, parameters


def summary(model: ViT) -> str:
    """Parts in the order of computation, with output shape (-1 is the batch) and parameters, then the totals.

    Each parameter is counted on one row: a row of a part that holds other listed parts counts only what is its own
    (the positions and prefix tokens of `PatchEmbedding`, the LayerScale of `ResidualConnection`). The shapes are for
    images of the size in `model.config`. MB are 2^20 bytes. The model is neither run nor changed.
    """
    rows = _rows(model)
    parameters = list(model.parameters())
    total = sum(p.numel() for p in parameters)
    trainable = sum(p.numel() for p in parameters if p.requires_grad)
    height, width = model.config.size
    dtype = model.patch_embedding.projection.weight.dtype
    input_bytes = model.config.channels * height * width * dtype.itemsize

    cells = [("Layer (type)", "Output Shape", "Param #")]
    cells += [(f"{name}-{i}", str(shape), f"{count:,}") for i, (name, shape, count) in enumerate(rows, 1)]
    widths = [max(len(row[column]) for row in cells) for column in range(3)]
    lines = ["  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)) for row in cells]
    thin, thick = "-" * len(lines[0]), "=" * len(lines[0])
    return "\n".join(
        [
            thin,
            lines[0],
            thick,
            *lines[1:],
            thick,
            f"Total params: {total:,}",
            f"Trainable params: {trainable:,}",
            f"Non-trainable params: {total - trainable:,}",
            thin,
            f"Input size (MB): {input_bytes / 2**20:.2f}",
            f"Params size (MB): {sum(p.nbytes for p in parameters) / 2**20:.2f}",
            thin,
        ]
    )


def _without_numbers(model: ViT) -> ViT:
    """The same modules on PyTorch's "meta" device: shapes are computed, numbers are neither copied nor computed."""
    tensors = chain(model.parameters(), model.buffers())
    empty = {id(t): nn.Parameter(torch.empty_like(t, device="meta"), requires_grad=False) for t in tensors}
    return copy.deepcopy(model, empty)  # deepcopy takes what it finds in its memo


@torch.no_grad()
def _rows(model: ViT) -> list[_Row]:
    twin, c = _without_numbers(model), model.config
    rows: list[_Row] = []

    def row(part: nn.Module, output: Tensor, *listed: nn.Module) -> Tensor:
        """Note the part and what it put out; `listed` are those inside it that have a row of their own."""
        count = sum(p.numel() for p in part.parameters())
        count -= sum(p.numel() for inner in listed for p in inner.parameters())
        rows.append((type(part).__name__, [-1, *output.shape[1:]], count))
        return output

    embedding, head = twin.patch_embedding, twin.classification_head
    pixels = torch.empty(1, c.channels, *c.size, device="meta", dtype=embedding.projection.weight.dtype)
    row(embedding.projection, embedding.projection(pixels))
    x = row(embedding, embedding(pixels), embedding.projection)
    if not isinstance(twin.norm, nn.Identity):
        x = row(twin.norm, twin.norm(x))

    for block in twin.blocks:
        first, second = block.residual1, block.residual2
        y = row(block.self_attn, block.self_attn(row(first.norm, first.norm(x))))
        x = row(first, first.add(x, y), first.norm)
        y = row(block.feed_forward, block.feed_forward(row(second.norm, second.norm(x))))
        x = row(second, second.add(x, y), second.norm)
        row(block, x, block.self_attn, block.feed_forward, first, second)

    one = c.readout == "class" and c.classes > 0  # the head normalises only what it reads
    pooled = c.readout == "mean" and c.head_norm == "pooled"
    read = x[:, 0] if one else x[:, c.prefix :].mean(dim=1) if pooled else x
    if not isinstance(head.norm, nn.Identity):
        row(head.norm, head.norm(read))
    if c.classes:
        logits = twin.read_out(x)
        linears = [linear for linear in (head.linear, head.dist_linear) if linear is not None]
        for linear in linears:
            row(linear, logits)
        row(head, logits, head.norm, *linears)
    return rows
