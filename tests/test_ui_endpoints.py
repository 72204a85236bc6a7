"""The HTTP endpoints, called as a stranger's program would call them."""

import gzip
import json

import numpy as np
import pytest
import torch
from gradio_client import Client, exceptions, handle_file
from PIL import Image

import visualize
import vit
from ui import transport
from ui.endpoints import find_class
from ui.side import example_photos
from vit.images import open_image

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
PHOTO = example_photos()[0]["file"]
MODEL = vit.available()[0]
QUICKER = {"integrated_gradients": {"steps": 2}, "smoothgrad": {"samples": 2}}  # the same code, fewer passes


@pytest.fixture(scope="module")
def client(page_url):
    return Client(page_url, verbose=False)


def test_names_and_inputs_of_the_endpoints_are_fixed(client):
    named = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(named) == {"/models", "/analyze", "/explain"}
    inputs = {name: [p["parameter_name"] for p in api["parameters"]] for name, api in named.items()}
    assert inputs["/models"] == []
    assert inputs["/analyze"] == ["image", "model"]
    assert inputs["/explain"] == ["image", "model", "method", "target", "options"]


def test_models_lists_the_registry(client):
    listed = client.predict(api_name="/models")
    assert [entry["name"] for entry in listed] == vit.available()
    assert listed[0]["here"] is True
    assert {"depth", "heads", "patch", "image_size", "source", "parameters"} <= set(listed[0])


def test_analyze_gives_predictions_and_the_attention_itself(client):
    predictions, value = client.predict(handle_file(PHOTO), MODEL, api_name="/analyze")
    pretrained = vit.load(MODEL)
    with torch.no_grad():
        output = pretrained.model.trace(pretrained.preprocess(open_image(PHOTO)).pixels)
    assert output.logits is not None
    shares = output.logits.softmax(-1)[0]
    assert predictions["label"] == pretrained.labels[int(shares.argmax())]
    assert len(predictions["confidences"]) == 5
    assert predictions["confidences"][0]["confidence"] == pytest.approx(float(shares.max()), abs=1e-4)
    assert len(value["layers"]) == pretrained.model.config.depth
    tokens = len(value["prefix"]) + value["grid"][0] * value["grid"][1]
    for file, attention in zip(value["layers"], output.attentions, strict=True):
        path = file["path"] if isinstance(file, dict) else file
        with open(path, "rb") as handle:
            blob = handle.read()
        if blob[:2] != b"\x1f\x8b":  # a client may undo the gzip on its way
            blob = gzip.compress(blob)
        arrived = transport.unpack(blob, value["heads"] + 1, tokens)[:-1]
        sent = attention[0].detach().numpy()
        assert (np.abs(arrived - sent) / sent.max(-1, keepdims=True)).max() <= 1.01 / 255


@pytest.mark.parametrize("method", list(visualize.METHODS))
def test_explain_serves_every_method(client, method):
    options = QUICKER.get(method, {})
    picture, facts = client.predict(handle_file(PHOTO), MODEL, method, "", json.dumps(options), api_name="/explain")
    pretrained = vit.load(MODEL)
    prepared = pretrained.preprocess(open_image(PHOTO))
    if method == "occlusion":  # a forward pass per patch, twice: too long here; the method has tests of its own
        expected = torch.zeros(prepared.pixels.shape[-1] // 14, prepared.pixels.shape[-1] // 14)
        assert np.isfinite(facts["heatmap"]).all()
        assert np.ptp(facts["heatmap"]) > 0.1
    else:
        expected = visualize.explain(pretrained.model, prepared.pixels, method, **options)[0].detach()
        np.testing.assert_allclose(np.array(facts["heatmap"]), expected.numpy(), rtol=1e-3, atol=1e-6)
    assert facts["grid"] == list(expected.shape)
    assert facts["method"] == method
    assert pretrained.labels[facts["target"]["index"]] == facts["target"]["name"]
    with Image.open(picture if isinstance(picture, str) else picture["path"]) as image:
        assert image.size == prepared.image.size


def test_explain_takes_a_class_by_name_and_options_as_json(client):
    by_name = client.predict(handle_file(PHOTO), MODEL, "chefer", "Palace", "", api_name="/explain")[1]
    by_index = client.predict(
        handle_file(PHOTO), MODEL, "chefer", str(by_name["target"]["index"]), "", api_name="/explain"
    )[1]
    assert by_name["target"]["name"] == "palace"
    assert by_name["heatmap"] == by_index["heatmap"]
    early = client.predict(handle_file(PHOTO), MODEL, "attention", "", json.dumps({"layer": 0}), api_name="/explain")[1]
    late = client.predict(handle_file(PHOTO), MODEL, "attention", "", "", api_name="/explain")[1]
    assert early["options"] == {"layer": 0}
    assert early["heatmap"] != late["heatmap"]


def test_explain_holds_a_class_against_a_rival(client):
    def ask(**options) -> dict:
        return client.predict(handle_file(PHOTO), MODEL, "chefer", "palace", json.dumps(options), api_name="/explain")[
            1
        ]

    labels = vit.load(MODEL).labels
    rival = labels.index("castle")
    by_name, by_index, alone = ask(contrast="Castle"), ask(contrast=rival), ask()
    assert by_name["options"] == by_index["options"] == {"contrast": rival}
    assert by_name["heatmap"] == by_index["heatmap"] != alone["heatmap"]
    with pytest.raises(exceptions.AppError, match="no class named"):
        ask(contrast="no such class")
    with pytest.raises(exceptions.AppError, match="two different classes"):
        ask(contrast="palace")


@pytest.mark.parametrize(
    ("model", "method", "target", "options", "words"),
    [
        ("no_such_model", "attention", "", "", "no model named"),
        ("../../etc/passwd", "attention", "", "", "no model named"),
        (MODEL, "no_such_method", "", "", "no method named"),
        (MODEL, "chefer", "no such class", "", "no class named"),
        (MODEL, "chefer", "1000", "", "no class 1000"),
        (MODEL, "attention", "", "{layer: 3}", "not JSON"),
        (MODEL, "attention", "", "[3]", "JSON object"),
        (MODEL, "attention", "", '{"layers": 3}', "layer"),
    ],
)
def test_every_wrong_word_is_answered_with_a_sentence(client, model, method, target, options, words):
    with pytest.raises(exceptions.AppError, match=words):
        client.predict(handle_file(PHOTO), model, method, target, options, api_name="/explain")


def test_a_file_that_is_no_image_is_answered_with_a_sentence(client, tmp_path):
    bad = tmp_path / "photo.jpg"
    bad.write_bytes(b"%PDF-1.4 not an image at all")
    with pytest.raises(exceptions.AppError, match="not an image that can be read"):
        client.predict(handle_file(str(bad)), MODEL, api_name="/analyze")


def test_find_class():
    labels = ("tabby", "tiger cat", "crane (bird)", "crane (machine)")
    assert find_class("", labels) is None
    assert find_class(" Tiger Cat ", labels) == 1
    assert find_class("3", labels) == 3
    with pytest.raises(ValueError, match=r"Did you mean crane \(bird\), crane \(machine\)"):
        find_class("crane", labels)
