"""The NPZ of one photo: every attention, and a manifest that says what it is."""

import io
import json

import numpy as np
import pytest
from PIL import Image

import vit
from ui.engine import analyse, fingerprint
from ui.export import manifest, npz_bytes


@pytest.fixture(scope="module")
def analysis():
    return analyse(Image.new("RGB", (100, 80), (200, 120, 40)), vit.available()[0])


def test_every_layer_is_there_and_exact_to_half_precision(analysis):
    with np.load(io.BytesIO(npz_bytes(analysis)), allow_pickle=False) as file:
        depth = len(analysis.planes)
        assert len(file.files) == 2 * depth + 1
        for i in range(depth):
            np.testing.assert_allclose(
                file[f"attention_layer_{i + 1:02d}"], analysis.planes[i][:-1], rtol=1e-3, atol=1e-7
            )
            np.testing.assert_allclose(file[f"rollout_layer_{i + 1:02d}"], analysis.planes[i][-1], rtol=1e-3, atol=1e-7)
        facts = json.loads(str(file["manifest"]))
    assert facts["photo_sha256"] == fingerprint(analysis.original)
    assert facts["grid"] == list(analysis.grid)
    assert facts["options"] == {}


def test_what_was_chosen_on_the_page_stands_in_the_manifest(analysis):
    with np.load(io.BytesIO(npz_bytes(analysis, {"layer": 3, "head": "mean"})), allow_pickle=False) as file:
        facts = json.loads(str(file["manifest"]))
    assert facts["options"] == {"layer": 3, "head": "mean"}
    assert facts["made"].endswith("+00:00")


def test_manifest_names_model_weights_and_versions(analysis):
    facts = manifest(analysis)
    assert facts["model"] == vit.available()[0]
    assert len(facts["weights_sha256"]) == 64
    assert facts["photo_size"] == [100, 80]
    assert set(facts["versions"]) == {"torch", "numpy", "python"}
    assert json.loads(json.dumps(facts)) == facts
