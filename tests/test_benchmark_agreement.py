"""The benchmark of agreement: its correlations are the library's, its table holds them."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from visual_models import one_thread, tiny  # noqa: F401

from benchmarks import agreement
from visualize import METHODS, explain, model_dependence, rank_correlation, stability
from vit.preprocess import Preprocess


@pytest.fixture
def files(tmp_path):
    """Two noisy photos with their labels.csv."""
    rng = np.random.default_rng(0)
    for name in "ab":
        Image.fromarray(rng.integers(0, 255, (16, 16, 3), dtype=np.uint8)).save(tmp_path / f"{name}.png")
    (tmp_path / "labels.csv").write_text("file,class_index\nb.png,0\na.png,1\n", encoding="utf-8")
    return [tmp_path / "a.png", tmp_path / "b.png"]


def small() -> SimpleNamespace:
    return SimpleNamespace(model=tiny(image_size=16), preprocess=Preprocess(size=16))


def test_each_pair_on_each_photo_is_what_the_library_says(files):
    pretrained = small()
    found = agreement.correlations(pretrained, files, ["attention", "random", "chefer"])  # type: ignore[arg-type]
    assert set(found) == {("random", "attention"), ("chefer", "attention"), ("chefer", "random")}
    for number, file in enumerate(files):
        pixels = pretrained.preprocess(Image.open(file)).pixels
        noise = explain(pretrained.model, pixels, "random", seed=number)  # another one for each photo
        chefer = explain(pretrained.model, pixels, "chefer")
        assert found["chefer", "random"][number] == pytest.approx(float(rank_correlation(chefer, noise)))


def test_table_by_hand():
    found = {
        ("chefer", "attention"): [-0.5, -0.5],
        ("random", "attention"): [-0.001, -0.001],
        ("random", "chefer"): [1, 1],
    }
    lines = agreement.table(found, ["attention", "chefer", "random"]).splitlines()
    assert lines == [
        "| | Attention | Chefer relevance |",
        "|---|---:|---:|",
        "| Chefer relevance | −0.50 ± 0.00 |  |",
        "| Random | 0.00 ± 0.00 | 1.00 ± 0.00 |",
    ]


def test_checks_are_the_librarys(files, monkeypatch, capsys):
    pretrained = small()
    monkeypatch.setattr(agreement, "load", lambda name: pretrained)
    monkeypatch.delenv("VIT_WEIGHTS", raising=False)
    agreement.main(["--folder", str(files[0].parent), "--checks", "--methods", "chefer", "random"])
    pixels = [pretrained.preprocess(Image.open(file)).pixels for file in files]
    means = [
        np.mean([float(measure(pretrained.model, each, "chefer")) for each in pixels])
        for measure in (model_dependence, stability)
    ]
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("| Chefer"))
    assert [cell.split(" ±")[0].strip() for cell in row.split("|")[2:4]] == [agreement.written(float(m)) for m in means]


def test_command_prints_the_mean_of_all_pairs(files, monkeypatch, capsys):
    pretrained = small()
    monkeypatch.setattr(agreement, "load", lambda name: pretrained)
    monkeypatch.delenv("VIT_WEIGHTS", raising=False)
    agreement.main(["--folder", str(files[0].parent), "--photos", "1", "--methods", "attention", "rollout"])
    printed = capsys.readouterr().out
    value = agreement.correlations(pretrained, files[:1], ["attention", "rollout"])["rollout", "attention"][0]  # type: ignore[arg-type]
    assert f"1 photos; mean of all pairs {agreement.written(value)}" in printed
    assert METHODS["rollout"].label in printed
    with pytest.raises(SystemExit):
        agreement.main(["--folder", str(files[0].parent), "--methods", "attention"])
    assert "two methods or more" in capsys.readouterr().err
