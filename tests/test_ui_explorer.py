"""What the explorer is sent, and the files that it is made of."""

import numpy as np
import pytest
from PIL import Image

import vit
from ui.component import colour_table
from ui.engine import analyse
from ui.explorer import Explorer, ExplorerData, prefix_names, quantiles
from ui.transport import unpack
from visualize.render import COLORMAPS


@pytest.fixture(scope="module")
def analysis():
    pixels = np.random.default_rng(0).integers(0, 256, (90, 160, 3), dtype=np.uint8)
    return analyse(Image.fromarray(pixels), vit.available()[0])


@pytest.fixture(scope="module")
def data(analysis) -> ExplorerData:
    sent = Explorer().postprocess(analysis)
    assert isinstance(sent, ExplorerData)
    return sent


def test_names_of_prefix_tokens_stand_in_their_order():
    both = vit.ViTConfig(distillation_token=True, registers=2)
    assert prefix_names(both) == ["class token", "distillation token", "register 1", "register 2"]
    assert prefix_names(vit.ViTConfig(class_token=False, readout="mean")) == []


@pytest.mark.parametrize("name", COLORMAPS)
def test_colours_run_from_dark_to_bright(name):
    table = np.frombuffer(colour_table(name), np.uint8).reshape(256, 3).astype(int)
    light = table @ [0.299, 0.587, 0.114]
    assert light[-1] > light[0] + 100
    assert (np.diff(light) > -1.5).all()  # perceptually uniform maps never step back


def test_inferno_begins_and_ends_where_matplotlib_says():
    table = np.frombuffer(colour_table("inferno"), np.uint8).reshape(256, 3)
    assert table[0].tolist() == [0, 0, 4]
    assert table[-1].tolist() == [252, 255, 164]


def test_quantiles_worked_by_hand():
    # Of 0, 1, …, 200 the q-th of 101 quantiles is 2q.
    assert quantiles([np.arange(101.0), np.arange(101.0, 201.0)]) == pytest.approx([2.0 * q for q in range(101)])


def test_quantiles_of_a_sample_keep_the_largest():
    weights = np.zeros(10_000, np.float32)
    weights[4321] = 0.75
    steps = quantiles([weights], most=100)
    assert len(steps) == 101
    assert (steps[0], steps[99], steps[100]) == (0, 0, 0.75)


def test_scales_for_everything_are_of_weights_on_patches(analysis, data):
    attention, rollout = data.quantiles
    assert attention[100] == pytest.approx(max(p[:-1, :, 1:].max() for p in analysis.planes))
    assert rollout[100] == pytest.approx(max(p[-1, :, 1:].max() for p in analysis.planes))
    assert attention == sorted(attention)
    everything = np.concatenate([p[:-1, :, 1:].ravel() for p in analysis.planes])
    assert attention[50] == pytest.approx(np.median(everything), rel=0.1)


def test_it_says_what_the_numbers_are_about_and_which_example_it_is(analysis, data):
    assert data.example == ""
    assert data.facts["photo_size"] == [160, 90]
    assert data.facts["model"] == data.model


def test_metadata_is_small_and_attention_lies_in_files(analysis, data):
    assert len(data.model_dump_json()) < 20_000
    assert len(data.layers) == len(analysis.planes)
    tokens = analysis.prefix + analysis.grid[0] * analysis.grid[1]
    with open(data.layers[-1].path, "rb") as file:
        arrived = unpack(file.read(), data.heads + 1, tokens)
    sent = analysis.planes[-1]
    assert (np.abs(arrived - sent) / sent.max(-1, keepdims=True)).max() <= 1.001 / 255


def test_every_layers_first_five_classes_are_there_with_their_probabilities(analysis, data):
    labels = analysis.pretrained.labels
    for layer, shares in enumerate(analysis.probabilities):
        for index in np.argsort(-shares)[:5]:
            place = data.classes.index(labels[index])
            assert data.probabilities[layer][place] == pytest.approx(float(shares[index]), abs=1e-6)
    final = data.probabilities[-1]
    assert final == sorted(final, reverse=True)


def test_each_run_has_a_name_of_its_own(analysis, data):
    again = Explorer().postprocess(analysis)
    assert again is not None
    assert again.run != data.run


def test_nothing_in_and_nothing_out():
    assert Explorer().postprocess(None) is None
