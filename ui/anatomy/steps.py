"""All steps in their order, for any model."""

from math import prod

from ui.anatomy.in_blocks import block, ending
from ui.anatomy.step import Step
from ui.anatomy.to_tokens import to_tokens
from ui.anatomy.wrong import wrong
from vit import Preprocess, ViTConfig


def steps(
    c: ViTConfig, shapes: dict[str, list[int]], photo: tuple[int, int], preprocess: Preprocess, learned_at: bool
) -> list[Step]:
    """Every step for this model.

    `shapes` are those of the real tensors, `photo` is the upload's width and height in pixels, and `learned_at` says
    whether the grid is the one that the positions were learned at.
    """
    first = to_tokens(c, shapes, photo, preprocess, learned_at)
    return [*first, *block(c, shapes), *ending(c, shapes), *wrong(c, shapes)]


def facts_of(c: ViTConfig, grid: tuple[int, int]) -> dict:
    """What the browser needs to know of the model to draw."""
    return {
        "grid": list(grid),
        "patch": c.patch_size,
        "channels": c.channels,
        "width": c.width,
        "heads": c.heads,
        "head_width": c.width // c.heads,
        "depth": c.depth,
        "hidden": c.hidden,
        "classes": c.classes,
        "readout": c.readout,
        "activation": c.activation,
        "mlp": c.mlp,
        "learned": c.positions == "learned",
        "patches": prod(grid),
    }
