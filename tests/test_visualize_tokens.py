import pytest
import torch

from visualize.tokens import query_row, read_out_row, sum_patches, to_grid, token_index
from vit.config import ViTConfig


def config(**changes) -> ViTConfig:
    return ViTConfig(**{"image_size": (16, 24), "patch_size": 8, "width": 8, "heads": 2, "depth": 1, **changes})


def test_grid_drops_the_prefix_and_keeps_reading_order():
    values = torch.arange(8.0)[None]  # two prefix tokens, then 2 rows × 3 columns
    assert to_grid(values, (2, 3), 2).tolist() == [[[2, 3, 4], [5, 6, 7]]]
    assert to_grid(values.expand(5, 4, 8), (2, 3), 2).shape == (5, 4, 2, 3)


def test_grid_of_another_size_is_refused():
    with pytest.raises(ValueError, match="8 tokens do not fit 1 prefix tokens and a grid of 2 × 3"):
        to_grid(torch.zeros(1, 8), (2, 3), 1)


def test_pixels_are_summed_within_their_patch():
    values = torch.tensor([[[1.0, 2, 3, 4], [5, 6, 7, 8]]])
    assert sum_patches(values, (1, 2)).tolist() == [[[14, 22]]]
    assert sum_patches(values, (2, 4)).tolist() == values.tolist()


MATRIX = torch.arange(64.0).reshape(1, 8, 8)  # row q starts at 8 q


@pytest.mark.parametrize(
    ("changes", "first"),
    [
        ({"registers": 1}, 0.0),
        ({"distillation_token": True, "readout": "class_distillation"}, 4.0),  # mean of rows 0 and 1
        ({"readout": "mean", "registers": 1}, 36.0),  # mean of rows 2 … 7
        ({"readout": "mean", "class_token": False, "registers": 2}, 36.0),
        ({"readout": "class_mean", "registers": 1}, 0.0),
        ({"classes": 0, "registers": 1}, 0.0),
        ({"classes": 0, "readout": "mean", "registers": 1}, 0.0),  # no head, but a class token
        ({"classes": 0, "readout": "mean", "class_token": False, "registers": 2}, 36.0),
    ],
)
def test_read_out_row(changes, first):
    row = read_out_row(MATRIX, config(**changes))
    assert row.shape == (1, 8)
    assert row[0].tolist() == [first + i for i in range(8)]


def test_query_row_picks_class_patch_or_token():
    c = config(registers=1)
    assert query_row(MATRIX, c, (2, 3), "class")[0, 0] == 0
    assert query_row(MATRIX, c, (2, 3), (1, 0))[0, 0] == 8 * (2 + 3)
    assert query_row(MATRIX, c, (2, 3), 1)[0, 0] == 8
    assert torch.equal(query_row(MATRIX, c, (2, 3)), read_out_row(MATRIX, c))


@pytest.mark.parametrize("query", [(2, 0), (0, 3), (-1, 0), 8, -1, "cls", True, (1.0, 0), (1, 2, 3), 1.5])
def test_a_query_that_does_not_exist_is_refused(query):
    with pytest.raises(ValueError, match=r"There is no|query must be"):
        token_index(config(registers=1), (2, 3), query)


def test_no_class_token_to_ask():
    with pytest.raises(ValueError, match="no class token"):
        token_index(config(class_token=False, readout="mean"), (2, 3), "class")
