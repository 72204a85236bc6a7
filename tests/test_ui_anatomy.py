"""The anatomy's numbers are the model's, its source is ours, and its slips do what it says they do."""

import dataclasses
import re
from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from small_models import OPTIONS, tiny

import vit
from ui import engine
from ui.anatomy import Anatomy
from ui.anatomy.engine import Choice, dissect, open_block
from ui.anatomy.numbers import best
from ui.anatomy.pack import Sheet, pack, sheet, unpack
from ui.anatomy.slips import across_the_batch, as_photo, careless_ways, norm_thrown_away, scramble, slip
from ui.anatomy.source import ROOT, Snippet, snippets
from ui.anatomy.step import SECTIONS
from ui.anatomy.steps import steps
from ui.anatomy.subject import Subject, describe, neighbours, reopen, with_slips
from vit.model import MultiHeadSelfAttention, patchify

EMBEDDED = vit.available()[0]
ODD = {
    "class_token": False,
    "readout": "mean",
    "registers": 2,
    "mlp": "swiglu",
    "layer_scale": 0.1,
    "image_size": (24, 40),
}
WANTED = {"layer": 1, "head": 2, "query": 9}


def photo(width: int = 90, height: int = 60) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def subject_of(model: vit.ViT, image: Image.Image | None = None) -> Subject:
    """A photo in a model that no file holds."""
    known = engine.MODELS.get(EMBEDDED)
    labels = tuple(f"class {i}" for i in range(model.config.classes))
    preprocess = vit.Preprocess(model.config.size, 0.9)
    pretrained = vit.Pretrained(model, preprocess, labels, known.checkpoint, ())
    image = image or photo()
    return Subject("small", pretrained, preprocess, image, preprocess(image))


@pytest.fixture
def serve(monkeypatch):
    """Makes the engine find a subject's model under its name."""

    def lend(subject: Subject) -> Subject:
        monkeypatch.setattr(engine.MODELS, "get", lambda name: subject.pretrained)
        return subject

    return lend


@pytest.fixture(params=["embedded", "registers, no class token"])
def subject(request, serve) -> Subject:
    if request.param == "embedded":
        return Subject.of(photo(), EMBEDDED, 224)
    return serve(subject_of(tiny(**ODD)))


def opened(kept) -> dict:
    """Every file of the value, as the browser reads it."""
    files = {}
    for name, file in kept.data.files.items():
        if file.path.endswith(".gz"):
            with open(file.path, "rb") as each:
                files[name] = unpack(each.read())
    return files


def near(sent, real: torch.Tensor, tolerance: float = 1e-5) -> None:
    np.testing.assert_allclose(sent, real.numpy(), atol=tolerance * max(1, float(real.abs().max())), rtol=0)


def drawn(sent, real: torch.Tensor) -> None:
    """A picture of a tensor: its numbers, clipped at the scale, to half a step of the bytes."""
    assert isinstance(sent, Sheet)
    rows, cols = sent.codes.shape
    shown = (sent.codes.astype(float) - 128) / 127 * sent.scale
    clipped = real[:rows, :cols].clamp(-sent.scale, sent.scale).numpy()
    np.testing.assert_allclose(shown, clipped, atol=0.51 * sent.scale / 127)


def test_every_number_is_the_models(subject):
    model, c, pixels = subject.pretrained.model, subject.pretrained.model.config, subject.prepared.pixels
    kept = describe(Anatomy(), subject, WANTED)
    files, facts = opened(kept), kept.data.facts
    with torch.no_grad():
        output = model.trace(pixels)
        blocks, embedding = model.blocks, model.patch_embedding
        layer, head, query = 1, 2, 9
        block, x, after = blocks[layer], output.tokens[layer], output.tokens[layer + 1]
        normed = block.residual1.norm(x)
        q, k, v = block.self_attn.queries_keys_values(normed)
        update, attention = block.self_attn.trace(normed)
        middle = x + update * (1 if block.residual1.scale is None else block.residual1.scale)
        hidden = block.feed_forward.hidden(block.residual2.norm(middle))
    # From photo to tokens.
    colours = files["colours"]
    channel = np.arange(c.channels).repeat(c.patch_size**2)
    np.testing.assert_array_equal(
        colours["levels"][channel, colours["patches"]], patchify(pixels, c.patch_size)[0].numpy()
    )
    np.testing.assert_array_equal(colours["middle"], np.array(subject.image)[27:33, 42:48].transpose(2, 0, 1))
    still = files["still"]
    with torch.no_grad():
        drawn(still["projected"], embedding.project(pixels)[0])
        drawn(still["positions"], embedding.positions_for(output.grid))
    near(still["prefix"], embedding.prefix_tokens(1)[0].detach())
    assert facts["difference"] < 1e-5 * max(1, facts["largest"])
    near(still["norms"], torch.cat(output.tokens).norm(dim=-1))
    moves = [(after - before)[0].norm(dim=-1) for before, after in pairwise(output.tokens)]
    near(still["moved"], torch.stack([m / t[0].norm(dim=-1) for m, t in zip(moves, output.tokens, strict=False)]))
    # One block, opened.
    row = {name[4:]: value for name, value in files["choice"].items() if name.startswith("row_")}
    near(row["embedded"], output.tokens[0][0, query])
    near(row["x"], x[0, query])
    near(row["normed"], normed[0, query])
    near(row["update"], update[0, query])
    near(row["middle"], middle[0, query])
    near(row["hidden"], hidden[0, query])
    near(row["out"], after[0, query])
    choice = files["choice"]
    near(choice["q"], q[0, head, query])
    drawn(choice["k"], k[0, head])
    drawn(choice["v"], v[0, head])
    near(choice["weights"], output.attentions[layer][0, head, query])
    near(choice["weights"], torch.tensor(choice["scores"]).softmax(-1))
    near(choice["scores"], (k[0, head] @ q[0, head, query]) / (c.width // c.heads) ** 0.5)
    near(choice["mixed"][head], attention[0, head, query] @ v[0, head])
    token = int(choice["best"][0])
    assert token == int(choice["weights"].argmax())
    near(choice["best_v"][0], v[0, head, token])
    near(choice["course"], torch.stack([a[0, head, query] for a in output.attentions]))
    near(choice["likeness"], torch.stack([F.cosine_similarity(t[0], t[0, query : query + 1]) for t in output.tokens]))
    drawn(files["layer"]["x"], x[0])
    drawn(files["layer"]["out"], after[0])
    assert facts["block_error"] < 1e-4
    # The answer.
    assert output.logits is not None
    near(still["logits"], output.logits[0])
    first = facts["best"][0]
    index = int(output.logits.argmax())
    assert first["name"] == subject.pretrained.labels[index]
    assert first["share"] == pytest.approx(float(output.logits.softmax(-1).max()), abs=1e-5)


def test_every_shape_is_the_one_that_the_architecture_says(subject):
    c, (rows, cols) = subject.pretrained.model.config, subject.grid
    kept = describe(Anatomy(), subject, {})
    H, W, P, N, D, h = rows * c.patch_size, cols * c.patch_size, c.patch_size, rows * cols, c.width, c.heads
    T, flat, wide = N + c.prefix, 3 * P * P, c.hidden * (2 if c.mlp == "swiglu" else 1)
    expected = {
        "photo": [[60, 90, 3]],
        "crop": [[H, W, 3]],
        "normalise": [[1, 3, H, W]],
        "patches": [[1, 3, rows, P, cols, P], [1, rows, cols, 3, P, P]],
        "flatten": [[1, N, flat]],
        "project": [[D, 3, P, P], [D, flat], [1, N, D]],
        "prefix": [[1, c.prefix, D], [1, T, D]],
        "positions": [[T, D], [1, T, D]],
        "norm": [[1, T, D]],
        "qkv": [[1, h, T, D // h]] * 3,
        "scores": [[1, h, T, T]],
        "softmax": [[1, h, T, T]],
        "mix": [[1, h, T, D // h]],
        "join": [[1, T, D]],
        "residual": [[1, T, D]],
        "mlp": [[1, T, wide], [1, T, c.hidden], [1, T, D]],
        "residual2": [[1, T, D]],
        "blocks": [[c.depth + 1, T, D]],
        "head": [[1, c.classes]],
        "answer": [[1, c.classes]],
        "scramble": [[1, N, flat]],
        "batch": [[1, h, T, T], [T, h, 2, 2]],
        "nonorm": [[1, T, D]],
        "each": [[1, T, c.classes]],
        "squash": [[1, 3, H, W]],
    }
    assert {step["key"]: [each["shape"] for each in step["shapes"]] for step in kept.data.steps} == expected
    assert len(kept.data.model_dump_json()) < 40_000


def test_the_texts_own_numbers_stand_beside(subject):
    said = {
        step["key"]: [each["text"] for each in step["shapes"]] for step in describe(Anatomy(), subject, {}).data.steps
    }
    assert said["flatten"] == ["[1, 196, 768]"]
    assert said["prefix"][1] == "[1, 197, 768]"
    assert said["head"] == ["[1, 197, 1000]"]


def test_another_choice_sends_only_what_depends_on_it(subject):
    part, first = Anatomy(), describe(Anatomy(), subject, WANTED)
    patch = reopen(part, subject, first, {**WANTED, "query": 3})
    assert patch.data.run == first.data.run
    assert patch.data.look != first.data.look
    same = [name for name, file in patch.data.files.items() if file.path == first.data.files[name].path]
    assert sorted(same) == ["colours", "crop", "layer", "photo", "still"]
    layer = reopen(part, subject, patch, {**WANTED, "query": 3, "layer": 0})
    assert layer.data.files["layer"].path != first.data.files["layer"].path
    fresh = describe(part, subject, {**WANTED, "query": 3, "layer": 0})
    for name in ("layer", "choice"):
        for key, value in opened(fresh)[name].items():
            other = opened(layer)[name][key]
            sent, again = (v.codes if isinstance(v, Sheet) else v for v in (value, other))
            np.testing.assert_array_equal(sent, again)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_every_kind_of_model_can_be_taken_apart(options):
    model = tiny(**options)
    with torch.no_grad():
        output = model.trace(torch.randn(1, model.config.channels, *model.config.size))
        for layer, block in enumerate(model.blocks):
            inside = open_block(block, output.tokens[layer], output.attentions[layer])
            torch.testing.assert_close(inside["out"], output.tokens[layer + 1], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("options", [o for o in OPTIONS.values() if o.get("channels", 3) == 3] + [{"classes": 0}])
def test_every_kind_of_model_has_all_steps_and_slips(options, serve):
    subject = serve(subject_of(tiny(**options)))
    kept = with_slips(Anatomy(), subject, describe(Anatomy(), subject, {"layer": 99, "head": "mean", "query": -1}))
    data = kept.data
    last = subject.pretrained.model.config.depth - 1
    prefix = subject.pretrained.model.config.prefix
    assert data.at == {
        "layer": last,
        "head": 0,
        "query": prefix + subject.grid[0] // 2 * subject.grid[1] + subject.grid[1] // 2,
    }
    keys = [step["key"] for step in data.steps]
    assert len(keys) == len(set(keys)) == (25 if subject.pretrained.model.config.classes else 24)
    known = snippets()
    for step in data.steps:
        assert step["words"]
        assert all(step["words"])
        assert step["formulas"]
        assert set(step["sources"]) <= set(known)
        for formula in step["formulas"]:
            assert formula.count("{") == formula.count("}")
        assert "{" not in "".join(step["words"])
    assert data.slips is not None
    assert bool(data.slips["right"]["top"]) == bool(subject.pretrained.model.config.classes)


def test_each_step_has_a_picture():
    scripts = "".join((Anatomy.folder / name).read_text() for name in Anatomy.scripts)
    shapes = dissect(EMBEDDED, torch.zeros(1, 3, 56, 56), Choice(0, 0, 0)).shapes
    for step in steps(vit.load(EMBEDDED).model.config, shapes, (56, 56), vit.Preprocess(56), True):
        assert f"DRAW.{step.key} = " in scripts


def test_snippets_stand_in_our_source_word_for_word():
    found = snippets()
    used = set()
    for options in ({}, {"mlp": "swiglu"}, {"norm_before_blocks": True}, {"classes": 0}):
        config = dataclasses.replace(tiny().config, **options)
        shapes = dissect(EMBEDDED, torch.zeros(1, 3, 56, 56), Choice(0, 0, 0)).shapes
        for step in steps(config, shapes, (56, 56), vit.Preprocess(56), True):
            used |= set(step.sources)
    for name, snippet in found.items():
        lines = (ROOT / snippet.file).read_text(encoding="utf-8").splitlines()
        at = snippet.line - 1
        own = lines[at : at + len(snippet.text.splitlines())]
        margin = min(len(line) - len(line.lstrip()) for line in own if line.strip())
        assert [line[margin:] for line in own] == snippet.text.splitlines(), name
        wrong = snippet.file.startswith("ui/anatomy/")
        assert wrong == (name.startswith("slip_") or name == "answer")
        assert wrong or snippet.file.startswith("vit/")
    assert set(found) - used <= {"sincos_1d"}


def test_a_line_that_is_gone_is_noticed():
    with pytest.raises(ValueError, match="no such line"):
        Snippet.of(MultiHeadSelfAttention.scores, "no such line")


def test_links_lead_to_the_paper_and_say_where():
    for label, url in SECTIONS.values():
        if label.startswith("ViT paper"):
            assert re.fullmatch(r"https://ar5iv\.labs\.arxiv\.org/html/2010\.11929#[\w.]+", url)
        else:
            assert url == "https://arxiv.org/abs/2002.05202" or (not url and label.startswith("Not in the paper"))


def test_packed_arrays_arrive_as_they_were():
    arrays = {
        "a": np.arange(5, dtype=np.uint8),
        "b": np.array([[0.5, -1.25]], dtype=np.float32),
        "c": sheet(torch.tensor([[1.0, -2.0]])),
    }
    back = unpack(pack(arrays))
    np.testing.assert_array_equal(back["a"], arrays["a"])
    np.testing.assert_array_equal(back["b"], arrays["b"])
    assert isinstance(back["c"], Sheet)
    assert back["c"].scale == pytest.approx(2, abs=0.01)
    assert back["c"].codes[0, 1] == 1  # the most negative
    assert sheet(torch.zeros(2, 2)).codes.tolist() == [[128, 128], [128, 128]]


def test_the_answer_is_a_softmax():
    top = best(np.log(np.array([0.2, 0.5, 0.3], dtype=np.float32)), ("a", "b", "c"))
    assert [each["name"] for each in top] == ["b", "c", "a"]
    assert [each["share"] for each in top] == pytest.approx([0.5, 0.3, 0.2])
    assert best(np.array([1.0, np.nan], dtype=np.float32), ("a", "b")) == []
    assert best(None, ()) == []


# --- The slips do what the page says ---


def test_scrambled_patches_have_the_right_shape_and_the_wrong_numbers():
    pixels = torch.randn(2, 3, 16, 24)
    assert torch.equal(as_photo(patchify(pixels, 8), 8, (2, 3)), pixels)  # the way back is right
    wrong = scramble(pixels, 8)
    assert wrong.shape == patchify(pixels, 8).shape
    assert torch.equal(wrong[0, 0, :24], pixels[0, 0, 0])  # a whole line of the photo, not a patch
    assert torch.equal(patchify(as_photo(wrong, 8, (2, 3)), 8), wrong)


def test_across_the_batch_patches_change_with_the_neighbour_and_the_class_token_sees_no_photo():
    model = tiny()
    one, two, three = (model.embed(torch.randn(1, 3, 32, 32)) for _ in range(3))
    with torch.no_grad():
        for block in model.blocks:
            right = [block(torch.cat([one, other]))[:1] for other in (two, three)]
            torch.testing.assert_close(*right)
            wrong = [across_the_batch(block, torch.cat([one, other])) for other in (two, three)]
            assert (wrong[0][:1, 1:] - wrong[1][:1, 1:]).abs().max() > 0.1
            torch.testing.assert_close(wrong[0][0, 0], wrong[1][1, 0])  # the class token: the same for every photo
            alone = across_the_batch(block, one)
            changed = across_the_batch(block, torch.cat([one[:, :-1], two[:, -1:]], dim=1))
            torch.testing.assert_close(alone[:, :-1], changed[:, :-1])  # no patch sees another
            one, two, three = alone, across_the_batch(block, two), across_the_batch(block, three)


def test_without_its_norm_a_block_sees_raw_tokens():
    block = tiny().blocks[0]
    x = torch.randn(1, 5, 48)
    with torch.no_grad():
        wrong = norm_thrown_away(block, x)
        middle = x + block.self_attn(x)
        torch.testing.assert_close(wrong, middle + block.feed_forward(middle))
        assert (wrong - block(x)).abs().max() > 0.1


def test_careless_preparation_is_half_wrong_each_way():
    image = photo(64, 32)
    ways = careless_ways(image, vit.Preprocess(32, 1.0))
    right = vit.Preprocess(32, 1.0)(image).pixels
    assert all(way.shape == right.shape for way in ways.values())
    assert ways["squash"].min() >= 0
    assert ways["squash"].max() <= 1
    mean, std = torch.tensor(vit.Preprocess().mean), torch.tensor(vit.Preprocess().std)
    torch.testing.assert_close((ways["unnormalised"] - mean[:, None, None]) / std[:, None, None], right)


def test_what_the_slips_do_to_a_prediction_is_measured_on_the_model(subject):
    _, images = neighbours(subject.image)
    beside = torch.cat([subject.preprocess(image).pixels for image in images])
    careless = careless_ways(subject.image, subject.preprocess)
    found = slip(subject.name, subject.prepared.pixels, beside, careless)
    model, pixels = subject.pretrained.model, subject.prepared.pixels
    with torch.no_grad():
        near(found.logits["right"], model(pixels)[0], 1e-4)
        wrong = as_photo(scramble(pixels, model.config.patch_size), model.config.patch_size, subject.grid)
        near(found.logits["scramble"], model(wrong)[0], 1e-4)
        near(found.logits["squash"], model(careless["squash"])[0], 1e-4)
    assert found.likeness["right"] == pytest.approx(1)
    assert found.neighbour_effect["wrong"] > 0.01
    assert found.neighbour_effect["right"] < 1e-3
    if model.config.class_token:
        np.testing.assert_allclose(found.logits["batch0"], found.logits["batch1"], atol=1e-4)
        np.testing.assert_allclose(found.every["right"][0], found.logits["right"], atol=1e-4)
    assert len(found.norms["norm"]) == model.config.depth + 1


def test_neighbours_are_other_photos():
    titles, images = neighbours(photo())
    other_titles, _ = neighbours(images[0])
    assert len(set(titles)) == 2
    assert titles[0] not in other_titles
