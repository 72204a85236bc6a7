"""Pictures of maps: scale, colour, overlay, grids. NumPy, Pillow and matplotlib's colour maps; raw values in.

The photo beneath is darkened and desaturated by fixed amounts, so its brightness never depends on the map.
"""

from dataclasses import dataclass
from math import ceil, log10
from typing import Any, TypeAlias

import numpy as np
from matplotlib import colormaps
from PIL import Image, ImageDraw, ImageFont

ScaleLike: TypeAlias = "str | tuple[float, float] | Scale"
COLORMAPS = ("inferno", "viridis", "cividis", "magma", "plasma")  # perceptually uniform
SCALES = ("map", "percentile", "log")
INK, QUIET, PAPER = (38, 38, 42), (120, 120, 128), (255, 255, 255)  # text, secondary text and lines, background
ACCENT = (64, 200, 255)  # stands out on every colour map above


@dataclass(frozen=True)
class Scale:
    """How raw values become 0 … 1: everything up to `low` is 0, everything from `high` is 1."""

    low: float
    high: float
    name: str  # stands on the colour bar
    log: bool = False

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Raw values of any shape to 0 … 1. With low = high there is nothing to tell apart: all 0."""
        if self.high <= self.low:
            return np.zeros(values.shape)
        clipped = np.clip(values, self.low, self.high)
        if self.log:
            return np.log(clipped / self.low) / np.log(self.high / self.low)
        return (clipped - self.low) / (self.high - self.low)

    def ticks(self) -> list[float]:
        """A few values to be written beside the colour bar, lowest first."""
        if self.high <= self.low:
            return [self.low]
        if self.log:
            return [float(v) for v in np.geomspace(self.low, self.high, 4)]
        return [float(v) for v in np.linspace(self.low, self.high, 5)]


def as_map(heatmap: Any, dimensions: int = 2) -> np.ndarray:
    """A tensor or array as float64 with that many axes; one leading batch axis of length 1 is dropped.

    Raises ValueError for another shape and for values that are not finite.
    """
    if hasattr(heatmap, "detach"):
        heatmap = heatmap.detach().cpu().double().numpy()
    values = np.asarray(heatmap, dtype=np.float64)
    if values.ndim == dimensions + 1 and values.shape[0] == 1:
        values = values[0]
    if values.ndim != dimensions or 0 in values.shape:
        axes = "[rows cols]" if dimensions == 2 else "[maps rows cols]"
        raise ValueError(f"Expected a map {axes}, got the shape {list(values.shape)}.")
    if not np.isfinite(values).all():
        raise ValueError("The map holds values that are not finite numbers (NaN or infinite), so it cannot be drawn.")
    return values


def fit_scale(values: np.ndarray, scale: ScaleLike = "map") -> Scale:
    """The scale for these values: "map" (lowest to highest), "percentile", "log", or a fixed (low, high).

    "percentile" runs from the 2nd to the 98th, so that one hot patch does not black out the rest; "log" spans at
    most three decades below the highest value. A map that is constant up to rounding gets low = high.
    Raises ValueError for another word, for low > high, and for a logarithm of negative values.
    """
    if isinstance(scale, Scale):
        return scale
    if not isinstance(scale, str):
        low, high = (float(v) for v in scale)
        if not (np.isfinite(low) and np.isfinite(high) and low <= high):
            raise ValueError(f"A fixed scale needs finite numbers with low ≤ high, not ({low:g}, {high:g}).")
        return Scale(low, high, "fixed scale")
    lowest, highest = float(values.min()), float(values.max())
    if highest - lowest <= 1e-6 * max(abs(lowest), abs(highest)):  # rounding noise is not a pattern
        return Scale(lowest, lowest, "constant")
    if scale == "map":
        return Scale(lowest, highest, "lowest to highest")
    if scale == "percentile":
        low = float(np.percentile(values, 2, method="higher"))
        high = float(np.percentile(values, 98, method="lower"))
        if high > low:
            return Scale(low, high, "2nd to 98th percentile")
        return Scale(lowest, highest, "lowest to highest")  # nearly all values are equal
    if scale == "log":
        if lowest < 0:
            raise ValueError("A logarithmic scale needs a map without negative values.")
        return Scale(max(float(values[values > 0].min()), highest / 1000), highest, "logarithmic", log=True)
    raise ValueError(f"scale must be one of {', '.join(SCALES)} or (low, high), not {scale!r}.")


def colorize(values: np.ndarray, colormap: str = "inferno") -> np.ndarray:
    """Values 0 … 1 of any shape to colours [... 3], float 0 … 255. Raises ValueError for an unknown colour map."""
    if colormap not in colormaps:
        raise ValueError(f"There is no colour map {colormap!r}; use one of {', '.join(COLORMAPS)}.")
    return np.asarray(colormaps[colormap](values))[..., :3] * 255


def backdrop(image: Image.Image) -> np.ndarray:
    """The photo as it lies under a map: mostly grey and darker, always by the same amount. [H W 3], 0 … 255."""
    rgb = np.asarray(image.convert("RGB"), dtype=np.float64)
    grey = rgb @ [0.299, 0.587, 0.114]
    return 0.85 * (0.8 * grey[..., None] + 0.2 * rgb)


def enlarge(values: np.ndarray, size: tuple[int, int], smooth: bool) -> np.ndarray:
    """Values [rows cols] stretched over a picture of `size` (width, height), bicubic or in blocks, kept in 0 … 1."""
    kind = Image.Resampling.BICUBIC if smooth else Image.Resampling.NEAREST
    picture = Image.fromarray(values.astype(np.float32))
    return np.clip(np.asarray(picture.resize(size, kind), dtype=np.float64), 0, 1)


def overlay(
    image: Image.Image,
    heatmap: Any,
    *,
    colormap: str = "inferno",
    opacity: float = 0.6,
    scale: ScaleLike = "map",
    smooth: bool = True,
    colorbar: bool = False,
    uniform: float | None = None,
) -> Image.Image:
    """A map [rows cols] over the photo, at the photo's size: opacity · colour + (1 − opacity) · darkened photo.

    `scale` is "map" (lowest to highest of this map), (low, high) in raw values, "percentile" or "log". `smooth`
    interpolates between patches, else each patch is one block. `colorbar` adds a labelled bar on the right, where
    `uniform` marks one value (1 / tokens: what every token would get if all got the same).
    Raises ValueError for a map of another shape or with values that are not finite, and for unknown names.
    """
    if not 0 <= opacity <= 1:
        raise ValueError(f"opacity must be a number in [0, 1], not {opacity!r}.")
    values = as_map(heatmap)
    fitted = fit_scale(values, scale)
    colours = colorize(enlarge(fitted(values), image.size, smooth), colormap)  # [H W 3]
    blend = opacity * colours + (1 - opacity) * backdrop(image)
    picture = Image.fromarray(np.rint(blend).astype(np.uint8))
    if not colorbar:
        return picture
    bar = draw_colorbar(fitted, colormap=colormap, height=max(picture.height, 120), uniform=uniform)
    sheet = Image.new("RGB", (picture.width + 16 + bar.width, bar.height), PAPER)
    sheet.paste(picture, (0, 0))
    sheet.paste(bar, (picture.width + 16, 0))
    return sheet


def font(size: int) -> Any:
    """Pillow's own font, so that labels look the same on every machine."""
    return ImageFont.load_default(size)


def number(value: float) -> str:
    """A value in at most three significant digits, as a label."""
    if value == 0:
        return "0"
    if 1e-3 <= abs(value) < 1e4:
        digits = max(0, 2 - int(np.floor(log10(abs(value)))))
        text = f"{value:.{min(digits, 4)}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def draw_colorbar(
    scale: Scale,
    *,
    colormap: str = "inferno",
    height: int = 224,
    uniform: float | None = None,
    title: str | None = None,
) -> Image.Image:
    """A vertical bar of colours with numbers, the name of its scale, and a mark where every token gets the same.

    `uniform` is that value, 1 / tokens; it is left out when it lies outside the scale.
    """
    size = 12
    text = font(size)
    heading = title if title is not None else scale.name
    top, bottom, left, bar = 24, height - 8, 2, 14
    labels = [(float(v), number(v)) for v in scale.ticks()]
    wide = max(text.getlength(label) for _, label in labels)
    mark = None if uniform is None or not scale.low < uniform < scale.high else f"uniform {number(uniform)}"
    width = ceil(left + bar + 8 + max(wide, text.getlength(mark or "")) + 4)
    width = max(width, ceil(text.getlength(heading)) + left + 4)
    sheet = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((left, 2), heading, fill=QUIET, font=text)
    ramp = np.linspace(1, 0, bottom - top)[:, None].repeat(bar, axis=1)
    sheet.paste(Image.fromarray(np.rint(colorize(ramp, colormap)).astype(np.uint8)), (left, top))

    def level(value: float) -> float:
        return bottom - 1 - float(scale(np.array(value))) * (bottom - top - 1)

    taken = []
    if mark is not None and uniform is not None:
        y = level(uniform)
        draw.line([(left, y), (left + bar - 1, y)], fill=PAPER, width=2)
        draw.line([(left + bar, y), (left + bar + 6, y)], fill=INK, width=2)
        draw.text((left + bar + 8, y), mark, fill=INK, font=text, anchor="lm")
        taken.append(y)
    for value, label in labels:
        y = level(value)
        if all(abs(y - other) > size + 2 for other in taken):  # the mark matters more than a tick beneath it
            draw.line([(left + bar, y), (left + bar + 4, y)], fill=QUIET)
            draw.text((left + bar + 8, y), label, fill=INK, font=text, anchor="lm")
    return sheet


def colorbar(
    values: Any,
    *,
    colormap: str = "inferno",
    scale: ScaleLike = "map",
    height: int = 224,
    uniform: float | None = None,
    title: str | None = None,
) -> Image.Image:
    """The colour bar of a map [rows cols], as `overlay` would scale it. See `draw_colorbar` for the rest."""
    fitted = fit_scale(as_map(values), scale)
    return draw_colorbar(fitted, colormap=colormap, height=height, uniform=uniform, title=title)


def patch_grid(
    image: Image.Image,
    grid: tuple[int, int],
    *,
    selected: tuple[int, int] | None = None,
    numbers: bool = False,
) -> Image.Image:
    """The photo cut into its grid (rows, cols) of patches by thin lines; `selected` (row, col) is framed.

    `numbers` counts the patches from 0 in reading order; the picture is then enlarged until they can be read.
    Raises ValueError for a patch outside the grid.
    """
    rows, cols = grid
    if selected is not None and not (0 <= selected[0] < rows and 0 <= selected[1] < cols):
        raise ValueError(f"There is no patch {tuple(selected)} in a grid of {rows} rows and {cols} columns.")
    picture = image.convert("RGB")
    cell = min(picture.width / cols, picture.height / rows)
    if numbers and cell < 30:
        factor = ceil(30 / cell)
        picture = picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.LANCZOS)
        cell *= factor
    x = [round(i * picture.width / cols) for i in range(cols + 1)]
    y = [round(i * picture.height / rows) for i in range(rows + 1)]
    layer = Image.new("RGBA", picture.size)
    draw = ImageDraw.Draw(layer)
    if selected is not None:  # everything else steps back
        row, col = selected
        draw.rectangle((0, 0, *picture.size), fill=(0, 0, 0, 90))
        draw.rectangle((x[col], y[row], x[col + 1], y[row + 1]), fill=(0, 0, 0, 0))
    for i in x[1:-1]:
        draw.line([(i, 0), (i, picture.height)], fill=(255, 255, 255, 110))
    for i in y[1:-1]:
        draw.line([(0, i), (picture.width, i)], fill=(255, 255, 255, 110))
    if numbers:
        face = font(max(9, min(16, int(cell / 2.8))))
        for i in range(rows * cols):
            centre = (x[i % cols] + x[i % cols + 1]) / 2, (y[i // cols] + y[i // cols + 1]) / 2
            options: dict[str, Any] = {"font": face, "anchor": "mm", "stroke_width": 1, "stroke_fill": (0, 0, 0, 150)}
            draw.text(centre, str(i), fill=(255, 255, 255, 235), **options)
    if selected is not None:
        row, col = selected
        box = x[col], y[row], min(x[col + 1], picture.width - 1), min(y[row + 1], picture.height - 1)
        draw.rectangle(box, outline=(*ACCENT, 255), width=max(2, round(cell / 12)))
    return Image.alpha_composite(picture.convert("RGBA"), layer).convert("RGB")
