"""The choice of model: the list, the card, the sizes; and what a stranger may load."""

import re
from dataclasses import replace

import pytest
import torch

import vit
from ui import models

EMBEDDED = vit.available()[0]


def test_every_model_is_listed_once_under_a_line_of_its_own():
    listed = models.choices()
    assert sorted(name for _, name in listed) == sorted(vit.available())
    assert len({line for line, _ in listed}) == len(listed)


def test_what_is_on_disk_stands_first_and_says_so():
    listed = models.choices()
    here = [vit.is_local(name) for _, name in listed]
    assert here == sorted(here, reverse=True)
    assert all(("on disk" in line) == local for (line, _), local in zip(listed, here, strict=True))
    assert all(re.search(r"get \d+ MB$", line) for (line, _), local in zip(listed, here, strict=True) if not local)


def test_the_embedded_model_opens_where_nothing_better_is_on_disk(monkeypatch):
    monkeypatch.setattr(models.vit, "is_local", lambda name: name == EMBEDDED)
    assert models.default_model() == EMBEDDED
    monkeypatch.setattr(models.vit, "is_local", lambda name: name in (EMBEDDED, "deit_tiny_patch16_224"))
    assert models.default_model() == "deit_tiny_patch16_224"


@pytest.mark.parametrize("name", vit.available())
def test_attention_of_the_largest_size_fits_the_memory_that_is_allowed(name):
    c, memory = vit.checkpoint(name), 0.3

    def gigabytes(side: int) -> float:
        tokens = (side // c.patch) ** 2 + c.prefix
        return c.depth * (c.heads + 1) * tokens**2 * 4 / 1e9

    largest = models.largest_side(c, memory)
    assert gigabytes(largest) <= memory < gigabytes(largest + c.patch)
    usual = models.usual_side(c, memory)
    assert usual % c.patch == 0
    assert c.patch <= usual <= largest


def test_usual_size_is_the_models_own_where_it_fits():
    assert models.usual_side(vit.checkpoint(EMBEDDED), 0.3) == 224
    assert models.usual_side(vit.checkpoint("vit_small_patch14_dinov2"), 0.3) < 518


def test_slider_steps_by_patches_and_names_the_limit():
    slider = models.size_slider(EMBEDDED, 0.3)
    assert slider.step == 14
    assert slider.value == 224
    assert slider.maximum == models.largest_side(vit.checkpoint(EMBEDDED), 0.3)
    assert "tokens fit" in str(slider.info)


@pytest.mark.parametrize("name", vit.available())
def test_card_says_where_a_model_comes_from(name):
    c, card = vit.checkpoint(name), models.card(name)
    assert c.licence in card
    assert f"patch {c.patch}" in card
    assert ("none: attention only" in card) == (c.classes == 0)
    assert ("ImageNet top-1" in card) == (c.top1 is not None)


def test_card_escapes_what_a_file_says(monkeypatch):
    strange = replace(vit.checkpoint(EMBEDDED), licence="<script>alert(1)</script>", assumed=("heads <b>",))
    monkeypatch.setattr(models, "checkpoint_of", lambda name: strange)
    assert "<script>" not in models.card("x")
    assert "Assumed: heads &lt;b&gt;" in models.card("x")


@pytest.mark.parametrize("name", ["../secret.pth", "/etc/passwd", "someone/a-model", ""])
def test_only_names_of_the_registry_unless_the_host_allows_more(name):
    with pytest.raises(ValueError, match="no model named"):
        models.known(name)


def test_a_host_may_allow_files_and_hub_ids(tmp_path):
    assert models.known(" someone/a-model ", anything=True) == "someone/a-model"
    with pytest.raises(ValueError, match="no model named"):
        models.known("  ", anything=True)
    bad = tmp_path / "model.pth"
    torch.save({"weight": torch.zeros(2)}, bad)
    with pytest.raises(ValueError, match="weights"):
        models.checkpoint_of(str(bad))
