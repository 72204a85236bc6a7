import numpy as np
import pytest
import torch
from PIL import Image

from visualize import COLORMAPS, Scale, backdrop, colorbar, fit_scale, head_grid, layer_strip, overlay, patch_grid
from visualize.render import colorize, draw_colorbar, number

RNG = np.random.default_rng(0)
PHOTO = Image.fromarray(RNG.integers(0, 256, (40, 60, 3), dtype=np.uint8))


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image, dtype=np.float64)


# Scales


def test_scale_of_a_map_by_hand():
    scale = fit_scale(np.array([[1.0, 2.0], [3.0, 5.0]]))
    assert (scale.low, scale.high) == (1, 5)
    assert scale(np.array([0, 1, 2, 5, 9])).tolist() == [0, 0, 0.25, 1, 1]


def test_a_fixed_scale_makes_maps_comparable():
    scale = fit_scale(np.zeros((2, 2)), (0, 4))
    assert scale(np.array([1.0, 2.0])).tolist() == [0.25, 0.5]
    assert scale.name == "fixed scale"
    assert fit_scale(np.ones((2, 2)), scale) is scale


@pytest.mark.parametrize("grid", [(3, 3), (7, 7), (14, 14), (16, 24)])
def test_one_hot_patch_does_not_black_out_the_rest(grid):
    values = RNG.uniform(0.4, 0.6, grid)
    values[1, 1] = 1000
    rest = np.ones(grid, bool)
    rest[1, 1] = False
    assert fit_scale(values)(values)[rest].max() < 0.001
    assert fit_scale(values, "percentile")(values)[rest].max() == 1
    assert np.ptp(fit_scale(values, "percentile")(values)[rest]) == 1
    values[rest] = np.geomspace(2, 200, rest.sum())
    assert fit_scale(values, "log")(values)[rest].mean() > 0.3


def test_log_scale_by_hand_spans_at_most_three_decades():
    scale = fit_scale(np.array([[0.0, 1.0], [10.0, 100.0]]), "log")
    assert (scale.low, scale.high, scale.log) == (1, 100, True)
    np.testing.assert_allclose(scale(np.array([0, 1, 10, 100])), [0, 0, 0.5, 1])
    assert fit_scale(np.array([[1e-9, 1.0]]), "log").low == 1e-3


@pytest.mark.parametrize("scale", ["map", "percentile", "log"])
@pytest.mark.parametrize("value", [0.0, 1 / 197, -3.0])
def test_a_constant_map_has_no_pattern_even_with_rounding_noise(scale, value):
    values = np.full((4, 4), value) * (1 + 1e-8 * RNG.standard_normal((4, 4)))
    fitted = fit_scale(values, scale)
    assert fitted.name == "constant"
    assert fitted(values).max() == 0
    assert fitted.ticks() == [fitted.low]
    assert overlay(PHOTO, values, scale=scale, colorbar=True).width > PHOTO.width


@pytest.mark.parametrize(
    ("values", "scale", "sentence"),
    [
        ([[1.0, 2.0]], "minmax", r"scale must be one of map, percentile, log or \(low, high\), not 'minmax'"),
        ([[1.0, 2.0]], (2, 1), "low ≤ high"),
        ([[1.0, 2.0]], (0, float("inf")), "finite numbers"),
        ([[-1.0, 2.0]], "log", "without negative values"),
    ],
)
def test_wrong_scales_are_refused(values, scale, sentence):
    with pytest.raises(ValueError, match=sentence):
        fit_scale(np.array(values), scale)


# Overlay


def test_overlay_is_the_stated_blend():
    values = RNG.uniform(size=(2, 3))
    got = overlay(PHOTO, values, opacity=0.3, smooth=False, scale=(0, 1), colormap="viridis")
    colours = colorize(values, "viridis").repeat(20, axis=0).repeat(20, axis=1)
    expected = 0.3 * colours + 0.7 * backdrop(PHOTO)
    assert np.abs(pixels(got) - expected).max() <= 0.51
    assert got.size == PHOTO.size


@pytest.mark.parametrize("scale", ["map", (0, 1), "percentile"])
def test_the_photo_is_as_bright_under_every_map(scale):
    """Two photos under one map differ by the same amount whatever the map is: the map never dims the photo."""
    dark = Image.fromarray(np.full((40, 60, 3), 40, np.uint8))
    bright = Image.fromarray(np.full((40, 60, 3), 200, np.uint8))
    for values in (np.zeros((2, 3)), RNG.uniform(size=(2, 3)), 1000 * RNG.uniform(size=(2, 3))):
        gap = pixels(overlay(bright, values, scale=scale)) - pixels(overlay(dark, values, scale=scale))
        np.testing.assert_allclose(gap, 0.4 * 0.85 * 160, atol=1)


def test_the_photo_beneath_is_darker_and_greyer():
    red = Image.new("RGB", (4, 4), (200, 40, 40))
    before, after = pixels(red), backdrop(red)
    assert after.mean() < before.mean()
    assert np.ptp(after[0, 0]) < 0.25 * np.ptp(before[0, 0])


def test_opacity_ends():
    values = [[0.0, 1.0]]
    none = pixels(overlay(PHOTO, values, opacity=0))
    assert np.abs(none - backdrop(PHOTO)).max() <= 0.51
    full = overlay(PHOTO, values, opacity=1, smooth=False)
    assert full.getcolors() is not None
    assert len(full.getcolors() or []) == 2


def test_smooth_and_blocky():
    blocky = overlay(PHOTO, [[0.0, 1.0, 0.0]], opacity=1, smooth=False)
    smooth = overlay(PHOTO, [[0.0, 1.0, 0.0]], opacity=1)
    assert len(blocky.getcolors(9999) or []) == 2
    assert len(smooth.getcolors(9999) or []) > 10


def test_tensors_arrays_and_photos_of_every_mode():
    values = torch.rand(1, 2, 3, dtype=torch.bfloat16, requires_grad=True)
    same = overlay(PHOTO, values[0].detach().float().numpy())
    assert np.array_equal(pixels(overlay(PHOTO, values)), pixels(same))
    for mode in ("L", "RGBA", "P"):
        assert overlay(PHOTO.convert(mode), values).mode == "RGB"
    assert overlay(Image.new("RGB", (1, 1)), [[1.0]]).size == (1, 1)


@pytest.mark.parametrize(
    ("values", "options", "sentence"),
    [
        ([[float("nan"), 1]], {}, "not finite numbers"),
        ([[float("inf"), 1]], {}, "not finite numbers"),
        ([1.0, 2.0], {}, r"Expected a map \[rows cols\], got the shape \[2\]"),
        (np.zeros((2, 3, 4)), {}, "Expected a map"),
        (np.zeros((0, 4)), {}, "Expected a map"),
        ([[0.0, 1.0]], {"opacity": 1.5}, r"opacity must be a number in \[0, 1\]"),
        ([[0.0, 1.0]], {"opacity": float("nan")}, "opacity must be"),
        ([[0.0, 1.0]], {"colormap": "rainbows"}, "no colour map 'rainbows'; use one of inferno, viridis"),
    ],
)
def test_what_cannot_be_drawn_is_refused(values, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        overlay(PHOTO, values, **options)


@pytest.mark.parametrize("colormap", COLORMAPS)
def test_colour_maps_grow_brighter_with_the_value(colormap):
    light = colorize(np.linspace(0, 1, 50), colormap) @ [0.299, 0.587, 0.114]
    assert (np.diff(light) > 0).all()


# Colour bar


def test_the_colour_bar_has_high_values_on_top_and_marks_the_uniform_value():
    bar = pixels(draw_colorbar(Scale(0, 1, "fixed scale"), height=224, uniform=0.25))
    plain = pixels(draw_colorbar(Scale(0, 1, "fixed scale"), height=224))
    column = plain[24:216, 8]
    assert np.abs(column[0] - colorize(np.array(1.0))).max() <= 1
    assert np.abs(column[-1] - colorize(np.array(0.0))).max() <= 1
    marked = np.where(np.abs(bar[:, 8] - plain[:, 8]).sum(-1) > 0)[0]
    assert abs(marked.mean() - (24 + 0.75 * 191)) <= 1.5
    outside = draw_colorbar(Scale(0, 1, "fixed scale"), height=224, uniform=2.0)
    assert np.array_equal(pixels(outside), plain)


def test_the_bar_of_a_map_follows_its_scale():
    values = RNG.uniform(size=(4, 4))
    assert colorbar(values).height == 224
    assert not np.array_equal(pixels(colorbar(values)), pixels(colorbar(values, scale=(0, 9))))
    assert colorbar(values, title="a considerably longer title").width > colorbar(values, title="short").width


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (1, "1"), (0.25, "0.25"), (1 / 197, "0.0051"), (8.4e-5, "8.4e-5"), (-12.34, "-12.3"), (12345, "1.2e4")],
)
def test_numbers_are_short(value, text):
    assert number(value) == text


# Grids and sheets


def test_patch_grid_draws_lines_where_patches_meet():
    plain = Image.new("RGB", (60, 40), (100, 100, 100))
    got = pixels(patch_grid(plain, (2, 3)))
    assert (got[:, [20, 40]] > 120).all()
    assert (got[20] > 120).all()
    assert (got[10, [10, 30, 50]] == 100).all()


def test_the_selected_patch_keeps_its_brightness_and_the_rest_steps_back():
    plain = Image.new("RGB", (60, 40), (100, 100, 100))
    got = pixels(patch_grid(plain, (2, 3), selected=(1, 2)))
    assert (got[30, 50] == 100).all()
    assert (got[10, 10] < 80).all()
    assert got[21, 50, 2] > 200  # its frame


def test_numbers_enlarge_the_picture_until_they_can_be_read():
    assert patch_grid(PHOTO, (2, 3)).size == (60, 40)
    assert patch_grid(PHOTO, (2, 3), numbers=True).size == (120, 80)


@pytest.mark.parametrize("selected", [(2, 0), (0, 3), (-1, 0)])
def test_a_patch_outside_the_grid_is_refused(selected):
    with pytest.raises(ValueError, match="There is no patch"):
        patch_grid(PHOTO, (2, 3), selected=selected)


def brightness(sheet: Image.Image, tile: int, which: int, height: int) -> float:
    left = 12 + which * (tile + 12)
    return pixels(sheet)[32 : 32 + height, left : left + tile].mean()


def test_heads_share_one_scale_unless_asked():
    black = Image.new("RGB", (60, 40))
    maps = np.stack([np.full((2, 3), 0.1), np.full((2, 3), 0.9)])
    maps += np.array([[0, 0.05, 0], [0.05, 0, 0]])
    shared = head_grid(black, maps, tile=60)
    assert brightness(shared, 60, 1, 40) > 3 * brightness(shared, 60, 0, 40)
    own = head_grid(black, maps, tile=60, scale="map")
    assert brightness(own, 60, 1, 40) == pytest.approx(brightness(own, 60, 0, 40))
    assert own.width < shared.width  # no common colour bar


def test_layers_stand_in_one_row():
    strip = layer_strip(PHOTO, RNG.uniform(size=(12, 2, 3)), uniform=0.5)
    assert strip.width > 12 * 112
    assert strip.height < 200
    assert layer_strip(PHOTO, RNG.uniform(size=(12, 2, 3)), columns=4).height > strip.height


def test_sheets_take_maps_of_one_picture():
    with pytest.raises(ValueError, match=r"Expected a map \[maps rows cols\]"):
        head_grid(PHOTO, np.zeros((2, 3)))
    with pytest.raises(ValueError, match="not finite"):
        layer_strip(PHOTO, np.full((2, 2, 3), np.nan))
