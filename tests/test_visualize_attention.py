import pytest
import torch
from visual_models import images, tiny

from visualize import explain


def test_the_default_is_the_last_layers_mean_of_the_class_token():
    model, pixels = tiny(), images()
    expected = model.trace(pixels).attentions[-1].mean(1)[:, 0, 1:].reshape(2, 2, 3)
    torch.testing.assert_close(explain(model, pixels, "attention"), expected.detach())


def test_layer_head_fusion_and_query():
    model, pixels = tiny("registers"), images()
    a = [x.detach() for x in model.trace(pixels).attentions]
    one = explain(model, pixels, "attention", layer=1, head=1, query=(1, 2))
    torch.testing.assert_close(one, a[1][:, 1, 3 + 5, 3:].reshape(2, 2, 3))
    for fuse, expected in (("min", a[0].amin(1)), ("max", a[0].amax(1)), ("mean", a[0].mean(1))):
        got = explain(model, pixels, "attention", layer=0, fuse=fuse, query="class")
        torch.testing.assert_close(got, expected[:, 0, 3:].reshape(2, 2, 3))
    register = explain(model, pixels, "attention", query=2)
    torch.testing.assert_close(register, a[2].mean(1)[:, 2, 3:].reshape(2, 2, 3))


def test_mean_pooling_reads_all_patch_rows():
    model, pixels = tiny("mean"), images()
    expected = model.trace(pixels).attentions[-1].mean(1).mean(1).reshape(2, 2, 3)
    torch.testing.assert_close(explain(model, pixels, "attention"), expected.detach())


def test_two_heads_read_two_rows():
    model, pixels = tiny("distillation"), images()
    expected = model.trace(pixels).attentions[-1].mean(1)[:, :2].mean(1)[:, 2:].reshape(2, 2, 3)
    torch.testing.assert_close(explain(model, pixels, "attention"), expected.detach())


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"layer": 3}, "layer must be a whole number from -3 to 2"),
        ({"layer": 1.0}, "layer must be a whole number"),
        ({"head": 2}, "head must be a whole number from 0 to 1"),
        ({"fuse": "sum"}, "fuse must be one of 'mean', 'min', 'max'"),
        ({"query": (2, 0)}, r"There is no patch \(2, 0\)"),
        ({"heads": "mean"}, "attention has no option 'heads'; its options are layer, head, fuse, query"),
        ({"contrast": 1}, "attention has no option 'contrast'"),
    ],
)
def test_wrong_options_are_refused(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        explain(tiny(), images(), "attention", **options)
