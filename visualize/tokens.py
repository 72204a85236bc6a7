"""Prefix tokens and the grid of patches: the only place that knows where which token sits.

Tokens are the prefix (class token, then distillation token, then registers), then the patches in reading order.
"""

from typing import Literal, TypeAlias

from torch import Tensor

from vit.config import ViTConfig

Grid: TypeAlias = tuple[int, int]  # rows, columns of patches
Query: TypeAlias = Literal["class"] | tuple[int, int] | int | None


def to_grid(values: Tensor, grid: Grid, prefix: int) -> Tensor:
    """The patches' part of values per token, laid out as the picture: [... tokens] to [... rows cols].

    Raises ValueError when the number of tokens is not prefix + rows * cols.
    """
    rows, cols = grid
    if values.shape[-1] != prefix + rows * cols:
        raise ValueError(
            f"{values.shape[-1]} tokens do not fit {prefix} prefix tokens and a grid of {rows} × {cols} patches."
        )
    return values[..., prefix:].reshape(*values.shape[:-1], rows, cols)


def sum_patches(values: Tensor, grid: Grid) -> Tensor:
    """Values per pixel, summed within each patch: [B H W] to [B rows cols]."""
    rows, cols = grid
    batch, height, width = values.shape
    return values.reshape(batch, rows, height // rows, cols, width // cols).sum(dim=(2, 4))


def read_out_row(matrix: Tensor, config: ViTConfig) -> Tensor:
    """The row of a map [... query key] that the model's head reads: [... key].

    The class token's; the mean of class and distillation rows with two heads; the mean over patch rows with mean
    pooling. A head that reads class token and mean together, and a model without a head but with a class token,
    give the class token's row.
    """
    if config.classes == 0 and config.class_token:
        return matrix[..., 0, :]
    if config.readout == "mean":
        return matrix[..., config.prefix :, :].mean(dim=-2)
    if config.readout == "class_distillation":
        return matrix[..., :2, :].mean(dim=-2)
    return matrix[..., 0, :]


def query_row(matrix: Tensor, config: ViTConfig, grid: Grid, query: Query = None) -> Tensor:
    """One row of a map [... query key]: [... key].

    `query` is None (the read-out row), "class" (the class token), (row, col) of a patch, or the index of a token.
    Raises ValueError for a query that this model or grid does not have.
    """
    if query is None:
        return read_out_row(matrix, config)
    return matrix[..., token_index(config, grid, query), :]


def token_index(config: ViTConfig, grid: Grid, query: Query) -> int:
    """Where a token stands among all tokens. `query`: "class", (row, col) of a patch, or an index from 0.

    Raises ValueError for a token that this model or grid does not have.
    """
    rows, cols = grid
    tokens = config.prefix + rows * cols
    if isinstance(query, str):
        if query != "class":
            raise ValueError(f'query must be "class", (row, col) of a patch or the index of a token, not {query!r}.')
        if not config.class_token:
            raise ValueError("This model has no class token; ask for a patch (row, col) instead.")
        return 0
    if isinstance(query, int) and not isinstance(query, bool):
        if not 0 <= query < tokens:
            raise ValueError(f"There is no token {query}: this image has tokens 0 to {tokens - 1}.")
        return query
    if isinstance(query, tuple | list) and len(query) == 2 and all(type(i) is int for i in query):
        row, col = query
        if not (0 <= row < rows and 0 <= col < cols):
            raise ValueError(f"There is no patch ({row}, {col}) in a grid of {rows} rows and {cols} columns.")
        return config.prefix + row * cols + col
    raise ValueError(f'query must be "class", (row, col) of a patch or the index of a token, not {query!r}.')
