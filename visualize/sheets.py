"""Several maps on one sheet: all heads of a layer, all layers of a model. Labelled, and on one scale unless asked."""

from collections.abc import Sequence
from math import ceil, sqrt
from typing import Any

from PIL import Image, ImageDraw

from visualize.render import INK, PAPER, ScaleLike, as_map, draw_colorbar, fit_scale, font, overlay


def sheet(
    image: Image.Image,
    maps: Any,
    labels: Sequence[str],
    *,
    columns: int,
    tile: int = 160,
    colormap: str = "inferno",
    opacity: float = 0.6,
    scale: ScaleLike = "all",
    smooth: bool = True,
    uniform: float | None = None,
) -> Image.Image:
    """Maps [maps rows cols] over the photo, side by side with a label above each.

    `scale`: "all" is one scale from the lowest to the highest of all maps; "percentile", "log" and (low, high) are
    shared as well, and a colour bar stands on the right; "map" lets each map use its own, so that they cannot be
    compared. `tile` is the longer side of one picture in pixels. Raises ValueError as `overlay` does.
    """
    values = as_map(maps, 3)
    if len(labels) != len(values):
        raise ValueError(f"{len(labels)} labels for {len(values)} maps.")
    shared = None if scale == "map" else fit_scale(values, "map" if scale == "all" else scale)
    factor = tile / max(image.size)
    width, height = max(1, round(image.width * factor)), max(1, round(image.height * factor))
    photo = image.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
    face, gap, head = font(13), 12, 20  # between tiles; for the label above each
    columns = max(1, min(columns, len(values)))
    rows = ceil(len(values) / columns)
    area = columns * (width + gap) - gap, rows * (height + head + gap) - gap
    bar = None
    if shared is not None:
        tall = min(max(area[1] - head, 120), 360)
        bar = draw_colorbar(shared, colormap=colormap, height=tall, uniform=uniform)
    right = 0 if bar is None else 2 * gap + bar.width
    paper = Image.new("RGB", (area[0] + right + 2 * gap, max(area[1], 140) + 2 * gap), PAPER)
    draw = ImageDraw.Draw(paper)
    for i, (label, one) in enumerate(zip(labels, values, strict=True)):
        left, top = gap + i % columns * (width + gap), gap + i // columns * (height + head + gap)
        draw.text((left, top + head - 6), label, fill=INK, font=face, anchor="ls")
        own = "map" if shared is None else shared
        tile_picture = overlay(photo, one, colormap=colormap, opacity=opacity, scale=own, smooth=smooth)
        paper.paste(tile_picture, (left, top + head))
    if bar is not None:
        paper.paste(bar, (gap + area[0] + 2 * gap, gap))
    return paper


def head_grid(image: Image.Image, attention: Any, *, columns: int | None = None, **options: Any) -> Image.Image:
    """All heads of one layer: maps [head rows cols] in a labelled grid (heads are numbered from 1, as on the page).

    `columns` defaults to a sheet that is a little wider than tall; `options` as in `sheet`: tile, colormap, opacity,
    scale ("all", "map", "percentile", "log" or (low, high)), smooth, uniform.
    """
    count = len(as_map(attention, 3))
    columns = columns or (count if count <= 4 else ceil(sqrt(count * 1.3)))
    return sheet(image, attention, [f"head {i + 1}" for i in range(count)], columns=columns, **options)


def layer_strip(image: Image.Image, maps: Any, *, columns: int | None = None, **options: Any) -> Image.Image:
    """One map per layer, [layer rows cols], in one row on one scale, first layer left (numbered from 1).

    `columns` breaks the strip into rows; `options` as in `sheet`.
    """
    count = len(as_map(maps, 3))
    options.setdefault("tile", 112)
    return sheet(image, maps, [f"layer {i + 1}" for i in range(count)], columns=columns or count, **options)
