"""Matplotlib figures about a model. Each function returns a `Figure` of its own; no global state is touched.

Colours are few and fixed, so that a page can exchange them for those of a dark theme: `INK` for text and lines, `FAINT`
for grids, `ACCENT` for what matters. `figure_bytes` writes a figure as SVG, PNG or PDF.
"""

import io
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from visualize.tokens import Grid
from visualize.weights import patch_filters, position_similarity, weight_norms
from vit.model import ViT

INK, FAINT, ACCENT = "#2a2a2e", "#c9c9c6", "#c2410c"
SIZE = 4.4, 3.8  # inches, so that figures stand well beside each other
FORMATS = ("svg", "png", "pdf")


def _sheet() -> tuple[Figure, Any]:
    """A figure of `SIZE` with one pair of axes, styled."""
    figure = Figure(figsize=SIZE, layout="constrained")
    axes = figure.add_subplot()
    axes.tick_params(labelsize=9, labelcolor=INK, color=FAINT)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[:].set_color(FAINT)
    for axis in (axes.xaxis, axes.yaxis):
        axis.label.set(color=INK, size=9)
    return figure, axes


def figure_bytes(figure: Figure, kind: str = "svg") -> bytes:
    """A figure as a file with a transparent background: "svg", "png" (twice the screen's density) or "pdf".

    Raises ValueError for another kind.
    """
    if kind not in FORMATS:
        raise ValueError(f"kind must be one of {', '.join(FORMATS)}, not {kind!r}.")
    buffer = io.BytesIO()
    dates = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": None}
    figure.savefig(buffer, format=kind, dpi=192, transparent=True, metadata=dates[kind])
    return buffer.getvalue()


def _picture(component: np.ndarray) -> np.ndarray:
    """A filter [channels patch patch] as a picture [patch patch 3], 0 … 1, with 0 in the middle grey."""
    largest = float(np.abs(component).max()) or 1.0
    shown = component if len(component) == 3 else component.mean(axis=0, keepdims=True).repeat(3, axis=0)
    return (shown / largest / 2 + 0.5).transpose(1, 2, 0)


def filters_figure(model: ViT, count: int = 28, columns: int = 7) -> Figure:
    """The first principal components of the patch embedding's filters, in their own colours, reading order.

    Grey is 0; other than three channels are averaged to grey. Source: arXiv 2010.11929, figure 7 (left).
    """
    filters = patch_filters(model, count)
    n, side, gap = len(filters.components), model.config.patch_size, 1
    rows = -(-n // columns)
    sheet = np.ones((rows * (side + gap) - gap, columns * (side + gap) - gap, 4))
    sheet[..., 3] = 0  # the gaps are transparent
    for i, component in enumerate(filters.components.numpy()):
        top, left = i // columns * (side + gap), i % columns * (side + gap)
        sheet[top : top + side, left : left + side, :3] = _picture(component)
        sheet[top : top + side, left : left + side, 3] = 1
    figure, axes = _sheet()
    axes.imshow(sheet, interpolation="nearest")
    axes.set_axis_off()
    axes.set_title(f"{float(filters.shares.sum()):.0%} of the filters' variance", fontsize=9, color=INK)
    return figure


def _spread(length: int, most: int) -> list[int]:
    """At most `most` places from first to last, evenly spread."""
    return sorted({round(i) for i in np.linspace(0, length - 1, min(length, most))})


def position_figure(model: ViT, grid: Grid | None = None, most: int = 7) -> Figure:
    """Likeness of positions: one small map per patch, at the patch's place, of its position's cosine with all others.

    Large grids show at most `most` rows and columns of them. Source: arXiv 2010.11929, figure 7 (centre).
    """
    similarity = position_similarity(model, grid).cpu().numpy()
    rows, cols = similarity.shape[:2]
    down, across = _spread(rows, most), _spread(cols, most)
    gap = max(1, round(max(rows, cols) / 10))
    high, wide = len(down) * (rows + gap) - gap, len(across) * (cols + gap) - gap
    sheet = np.full((high, wide), np.nan)
    for i, row in enumerate(down):
        for j, col in enumerate(across):
            top, left = i * (rows + gap), j * (cols + gap)
            sheet[top : top + rows, left : left + cols] = similarity[row, col]
    figure, axes = _sheet()
    image = axes.imshow(sheet, cmap="viridis", vmin=-1, vmax=1, interpolation="nearest")
    axes.set_xticks([(cols - 1) / 2 + j * (cols + gap) for j in range(len(across))], [str(c + 1) for c in across])
    axes.set_yticks([(rows - 1) / 2 + i * (rows + gap) for i in range(len(down))], [str(r + 1) for r in down])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set(xlabel="column of the patch", ylabel="row of the patch")
    bar = figure.colorbar(image, ax=axes, shrink=0.8, pad=0.03, ticks=[-1, 0, 1])
    bar.outline.set_visible(False)  # type: ignore[operator]
    bar.set_label("cosine", color=INK, size=9)
    bar.ax.tick_params(labelsize=9, labelcolor=INK, color=FAINT)
    return figure


def _layers(axes: Any, depth: int) -> None:
    """The axis of layers, counted from 1 as on the page."""
    step = max(1, round(depth / 12))
    axes.set_xticks(range(1, depth + 1, step))
    axes.set_xlim(0.4, depth + 0.6)
    axes.set_xlabel("layer")
    axes.grid(axis="y", color=FAINT, linewidth=0.5)
    axes.set_axisbelow(True)


def depth_figure(
    values: Tensor, label: str, *, average: Tensor | None = None, even: float | None = None, top: float | None = None
) -> Figure:
    """A number of every head, [depth head], against depth: one dot per head, a line through the layers' means.

    `average` [depth head] is drawn in grey behind, `even` as a dashed line: what even attention has. `label` names the
    number and its unit, `top` ends the axis. Source of the form: arXiv 2010.11929, figure 7 (right).
    """
    shown = torch.as_tensor(values).detach().cpu().float().numpy()
    depth = len(shown)
    figure, axes = _sheet()
    series = [(shown, ACCENT, "this photo")]
    if average is not None:
        series.insert(0, (torch.as_tensor(average).float().numpy(), "#8c8c92", "mean over many photos"))
    for numbers, colour, name in series:
        layers = np.arange(1, depth + 1)
        axes.plot(layers, numbers.mean(axis=1), color=colour, linewidth=1)
        axes.scatter(layers.repeat(numbers.shape[1]), numbers.ravel(), s=11, color=colour, linewidths=0, label=name)
    if even is not None:
        axes.axhline(even, color=INK, linewidth=0.8, linestyle=(0, (2, 2)), label="even attention")
    _layers(axes, depth)
    axes.set_ylim(0, top)
    axes.set_ylabel(label)
    if len(series) > 1 or even is not None:
        axes.legend(frameon=False, loc="lower right", fontsize=8, labelcolor=INK)
    return figure


def norms_figure(model: ViT) -> Figure:
    """Root mean square of the weights of each part against depth."""
    norms = weight_norms(model)
    styles = [(INK, "-"), (INK, "--"), (ACCENT, "-"), (ACCENT, "--"), ("#8c8c92", "-"), ("#8c8c92", "--")]
    figure, axes = _sheet()
    for (name, values), (colour, dash) in zip(norms.items(), styles, strict=True):
        layers = range(1, len(values) + 1)
        axes.plot(layers, values.cpu().numpy(), dash, color=colour, linewidth=1.3, marker=".", label=name)
    _layers(axes, model.config.depth)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("root mean square of the weights")
    axes.legend(frameon=False, fontsize=8, labelcolor=INK, ncols=3, loc="upper center", bbox_to_anchor=(0.5, 1.22))
    return figure
