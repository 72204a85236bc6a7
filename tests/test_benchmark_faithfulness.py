"""The benchmark of faithfulness on a tiny model: what it measures, that it resumes, what its tables say."""

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from visual_models import one_thread, tiny  # noqa: F401

from benchmarks import faithfulness
from visualize import METHODS, explain, insertion_deletion, lerf_morf, perturbation
from vit.preprocess import Preprocess

EMBEDDED = faithfulness.available()[0]
QUICK = ["random", "centre", "attention", "chefer"]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs the benchmark on three noisy photos and a model of six patches; gives the lines of the results."""
    rng = np.random.default_rng(0)
    rows = ["file,class_index"]
    for i in range(3):
        Image.fromarray(rng.integers(0, 255, (16, 16, 3), dtype=np.uint8)).save(tmp_path / f"{2 - i}.png")
        rows.append(f"{2 - i}.png,0")
    (tmp_path / "labels.csv").write_text("\n".join(rows), encoding="utf-8")
    model = SimpleNamespace(model=tiny(image_size=16), preprocess=Preprocess(size=16))
    faithfulness._model.cache_clear()
    faithfulness._photo.cache_clear()
    monkeypatch.setattr(faithfulness, "load", lambda name: model)
    monkeypatch.delenv("VIT_WEIGHTS", raising=False)
    results = tmp_path / "deep" / "results.jsonl"

    def go(*arguments: str, photos: int = 2, methods=QUICK) -> list[dict]:
        common = ["--folder", str(tmp_path), "--results", str(results), "--embedded-photos", str(photos)]
        faithfulness.main([*common, "--methods", *methods, *arguments])
        return [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines() if line[-1:] == "}"]

    go.results, go.model, go.folder = results, model, tmp_path
    go.photos = [tmp_path / f"{i}.png" for i in range(3)]
    return go


def test_a_line_holds_what_the_library_says(run):
    lines = run(photos=1, methods=["chefer"])
    assert len(lines) == 1
    line, model = lines[0], run.model.model
    pixels = run.model.preprocess(Image.open(run.folder / "0.png")).pixels  # the first by name
    target = model(pixels).argmax(-1)
    heatmap = explain(model, pixels, "chefer", target)
    patches = insertion_deletion(model, pixels, heatmap, target, steps=14)
    removed = perturbation(
        model, pixels, heatmap, target, mean=run.model.preprocess.mean, std=run.model.preprocess.std, score="logit"
    )
    assert (line["model"], line["photo"], line["method"]) == (EMBEDDED, "0.png", "chefer")
    assert line["target"] == int(target)
    assert line["insertion"] == pytest.approx(float(patches.insertion), abs=1e-5)
    assert line["deletion"] == pytest.approx(float(patches.deletion), abs=1e-5)
    assert line["lerf_morf"] == pytest.approx(float(lerf_morf(removed)), abs=1e-4)
    assert line["positive"] == pytest.approx(float(removed.watching("top1").positive))
    assert line["negative"] == pytest.approx(float(removed.watching("top1").negative))
    assert line["seconds"] >= 0


def test_nothing_is_measured_twice_and_a_new_method_costs_only_itself(run, capsys, monkeypatch):
    assert len(run()) == 8
    measured = []
    measure = faithfulness.measure
    monkeypatch.setattr(faithfulness, "measure", lambda task: measured.append(task) or measure(task))
    assert len(run()) == 8
    assert measured == []
    assert "8 of 8 measurements are there" in capsys.readouterr().out
    assert len(run(methods=[*QUICK, "rollout"])) == 10
    assert [task.row for task in measured] == ["rollout", "rollout"]
    assert len(run(photos=3)) == 14
    assert {task.photo.rsplit("/", 1)[-1] for task in measured[2:]} == {"2.png"}
    assert len(run("--again", "centre")) == 16  # two new lines, which replace the old ones
    assert len(faithfulness.read(run.results)) == 14


def test_a_line_that_was_cut_off_is_measured_again(run):
    run()
    text = run.results.read_text(encoding="utf-8")
    run.results.write_text(text[:-30], encoding="utf-8")
    run()
    assert len(faithfulness.read(run.results)) == 8


def test_slow_methods_come_last_and_noise_differs_from_photo_to_photo(run):
    order = [t.row for t in faithfulness.tasks({EMBEDDED: 1}, run.photos, faithfulness.ROWS)]
    assert set(order) == set(faithfulness.ROWS) > set(METHODS)
    slow = [METHODS[faithfulness.ROWS[row][1]].slow for row in order]
    assert slow == sorted(slow)
    noise = [t.identity["options"] for t in faithfulness.tasks({EMBEDDED: 3}, run.photos, ["random"])]
    assert noise == [{"seed": 0}, {"seed": 1}, {"seed": 2}]


def test_every_row_finds_its_lines_again(run):
    for task in faithfulness.tasks({EMBEDDED: 1}, run.photos, faithfulness.ROWS):
        assert faithfulness.row_of(task.identity) == task.row
    assert faithfulness.row_of({"method": "chefer", "options": {"of": "another time"}}) is None


def record(method: str, photo: str, value: float, model: str = EMBEDDED) -> dict:
    measured = {"positive": 20 - value, "negative": 50 + value, "insertion": 0.5, "deletion": 0.25, "lerf_morf": value}
    return {"model": model, "photo": photo, "method": method, "options": {}, "steps": 14, "seconds": 0.5, **measured}


def test_interval_by_hand():
    # Mean 2, deviation 1 (n − 1), standard error 1 / √3.
    mean, half = faithfulness.interval([1, 2, 3])
    assert mean == 2
    assert half == pytest.approx(1.96 / math.sqrt(3))
    assert math.isnan(faithfulness.interval([1])[1])


def test_tables_by_hand():
    records = [record("chefer", str(i), i + 3) for i in range(1, 4)]
    records += [record("random", str(i), i) for i in range(1, 4)]
    records += [record("centre", str(i), 1) for i in range(1, 4)]
    records.append(record("chefer", "seen by one method only", 1000))
    records.append(record("chefer", "1", 1000, model="another"))
    text = faithfulness.tables(records, EMBEDDED)
    assert text.startswith(f"{EMBEDDED}, 3 photos")
    assert "| Chefer relevance | 15.0 ± 1.1 | 55.0 ± 1.1 | 0.500 ± 0.000 | 0.250 ± 0.000 | 5.00 ± 1.13 | 0.50 |" in text
    # Always 3 above random, photo by photo, and 3 in each of the two areas; 4 ± 1.13 above the centre.
    assert "| Chefer relevance | 3.00 ± 0.00 | 3.0 ± 0.0 | 3.0 ± 0.0 | 4.00 ± 1.13 | 4.0 ± 1.1 | 4.0 ± 1.1 |" in text
    labels = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")]
    assert labels[1:4] == ["Chefer relevance", "Random", "Centre"]  # by LeRF − MoRF
    assert "nothing measured" in faithfulness.tables([], EMBEDDED)
    assert "no photo has been seen by all" in faithfulness.tables([records[0], records[4]], EMBEDDED)


def test_table_alone_measures_nothing(run, capsys, monkeypatch):
    run()
    monkeypatch.setattr(faithfulness, "measure", lambda task: pytest.fail("measured"))
    capsys.readouterr()
    run("--table")
    printed = capsys.readouterr().out
    assert f"{EMBEDDED}, 2 photos" in printed
    assert "deit_tiny_patch16_224: nothing measured yet." in printed
    assert torch.is_grad_enabled()
