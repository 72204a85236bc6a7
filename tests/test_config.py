import dataclasses

import pytest

from vit.config import ViTConfig


def test_defaults_are_vit_b_16():
    c = ViTConfig()
    assert (c.width, c.depth, c.heads, c.hidden, c.patch_size, c.classes) == (768, 12, 12, 3072, 16, 1000)
    assert c.width // c.heads == 64  # the head width of every model in the paper's table 1
    assert c.size == (224, 224)
    assert c.grid == (14, 14)
    assert c.dropout == 0


def test_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        ViTConfig().width = 1  # pyright: ignore[reportAttributeAccessIssue]


def test_grid_is_rows_then_columns():
    assert ViTConfig(image_size=(32, 48)).grid == (2, 3)


@pytest.mark.parametrize(
    ("options", "prefix", "positioned"),
    [
        ({}, 1, 1),
        ({"distillation_token": True}, 2, 2),
        ({"registers": 4}, 5, 1),
        ({"registers": 4, "position_prefix": 5}, 5, 5),
        ({"registers": 4, "position_prefix": 0}, 5, 0),
        ({"class_token": False, "readout": "mean"}, 0, 0),
    ],
)
def test_prefix(options, prefix, positioned):
    c = ViTConfig(**options)
    assert (c.prefix, c.positioned) == (prefix, positioned)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"depth": 0}, "depth must be at least 1, not 0."),
        ({"patch_size": 0}, "patch_size must be at least 1, not 0."),
        ({"classes": -1}, "classes and registers cannot be negative."),
        ({"registers": -1}, "classes and registers cannot be negative."),
        ({"dropout": 1.0}, "dropout must lie in [0, 1), not 1.0."),
        ({"heads": 7}, "The width 768 cannot be shared by 7 heads: it must divide evenly."),
        ({"image_size": (224, 225)}, "The image size 225 is not a multiple of the patch size 16."),
        ({"image_size": 8}, "The image size 8 is not a multiple of the patch size 16."),
        ({"image_size": 0}, "The image size 0 is not a multiple of the patch size 16."),
        ({"activation": "tanh"}, "activation must be one of gelu, gelu_tanh, quick_gelu, relu, not 'tanh'."),
        ({"mlp": "moe"}, "mlp must be one of mlp, swiglu, not 'moe'."),
        ({"readout": "max"}, "readout must be one of class, class_distillation, mean, class_mean, not 'max'."),
        ({"class_token": False}, "readout='class' needs a class token."),
        ({"class_token": False, "readout": "class_mean"}, "readout='class_mean' needs a class token."),
        ({"readout": "class_distillation"}, "readout='class_distillation' needs a distillation token."),
        (
            {"readout": "class_mean", "head_norm": "pooled"},
            "readout='class_mean' normalises the tokens, not their mean.",
        ),
        ({"position_prefix": 2}, "position_prefix must lie between 0 and the number of prefix tokens (1)."),
        (
            {"positions": "sincos_2d", "width": 54, "heads": 3},
            "Two-dimensional sine-cosine positions need a width that is a multiple of 4.",
        ),
        ({"positions": "sincos_1d", "width": 51, "heads": 3}, "Sine-cosine positions need an even width."),
    ],
)
def test_parts_that_do_not_fit_are_one_sentence(options, sentence):
    with pytest.raises(ValueError) as error:  # noqa: PT011  the whole sentence is compared
        ViTConfig(**options)
    assert str(error.value) == sentence
