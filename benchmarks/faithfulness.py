"""How faithful every method of `visualize` is, measured on the same photos, beside noise and a blob in the middle.

    python -m benchmarks.faithfulness [--photos 100] [--embedded-photos 30] [--methods NAME …] [--table]

Runs all methods over the first photos (by file name) of a folder whose labels.csv has the columns file and
class_index, with DeiT-Tiny (deit_tiny_patch16_224.safetensors in the folder of weights) and with the embedded model.
The folders default to the environment variables VIT_PHOTOS and VIT_WEIGHTS. Every result is one line of JSON in
--results and is never measured twice: a run that was stopped goes on, more photos or a new method cost only what is
new. --again NAME measures a method once more; --table prints what is there. The class explained and watched is the
model's prediction.
"""

import argparse
import json
import multiprocessing
import statistics
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from benchmarks.common import DEIT, folder_flags, labelled, models_here
from visualize import METHODS, explain, insertion_deletion, lerf_morf, perturbation
from vit.checkpoints import Pretrained, available, load
from vit.images import open_image

STEPS = 14  # of insertion and deletion
COLUMNS = {  # what is measured, and whether more is better
    "positive": ("positive ↓", -1),
    "negative": ("negative ↑", 1),
    "insertion": ("insertion ↑", 1),
    "deletion": ("deletion ↓", -1),
    "lerf_morf": ("LeRF − MoRF ↑", 1),
}
BASELINES = tuple(name for name, method in METHODS.items() if method.baseline)
# What is measured: label in the table, method and options. Beside the methods as they stand, AttnLRP in full.
ROWS: dict[str, tuple[str, str, dict]] = {name: (method.label, name, {}) for name, method in METHODS.items()}
ROWS |= {
    "attnlrp": ("AttnLRP with γ", "lrp", {"attention": "attnlrp"}),
    "attnlrp-epsilon": ("AttnLRP without γ", "lrp", {"attention": "attnlrp", "gamma": 0, "gamma_patches": 0}),
}


class Task(NamedTuple):
    """One measurement: a model (registry name or file), a photo and a row of the table."""

    model: str
    photo: str  # path of the file
    row: str
    number: int  # of the photo: the seed of a random map

    @property
    def identity(self) -> dict:
        """What makes two measurements the same one. A random map has another seed for each photo."""
        _, method, options = ROWS[self.row]
        options = {"seed": self.number} if method == "random" else options
        names = {"model": Path(self.model).stem, "photo": Path(self.photo).name}
        return {**names, "method": method, "options": options, "steps": STEPS}


def key_of(record: dict) -> str:
    """The identity of a measurement as text."""
    return json.dumps([record[name] for name in ("model", "photo", "method", "options", "steps")], sort_keys=True)


def row_of(record: dict) -> str | None:
    """The row of the table that a measurement belongs to; None for one that is no longer in it."""
    method = record["method"]
    options = {} if method == "random" else record["options"]
    return next((row for row, (_, *what) in ROWS.items() if what == [method, options]), None)


@cache
def _model(name: str) -> Pretrained:
    return load(name)


@lru_cache(maxsize=2)
def _photo(model: str, photo: str) -> tuple[Tensor, Tensor]:
    """Pixels [1 3 H W] and the predicted class [1]."""
    pretrained = _model(model)
    pixels = pretrained.preprocess(open_image(photo)).pixels
    with torch.inference_mode():
        return pixels, pretrained.model(pixels).argmax(-1).clone()


def measure(task: Task, batch_size: int = 32) -> dict:
    """One line of the results: the areas of one map, and the processor seconds that the map took (one thread)."""
    torch.set_num_threads(1)
    pretrained = _model(task.model)
    model, preprocess = pretrained.model, pretrained.preprocess
    pixels, target = _photo(task.model, task.photo)
    what = task.identity
    start = time.process_time()
    heatmap = explain(model, pixels, what["method"], target, **what["options"])
    seconds = time.process_time() - start
    with torch.inference_mode():
        patches = insertion_deletion(model, pixels, heatmap, target, steps=STEPS, batch_size=batch_size)
        mean, std = preprocess.mean, preprocess.std
        removed = perturbation(model, pixels, heatmap, target, mean=mean, std=std, batch_size=batch_size)
    return {
        **what,
        "target": int(target),
        "positive": float(removed.positive),
        "negative": float(removed.negative),
        "insertion": float(patches.insertion),
        "deletion": float(patches.deletion),
        "lerf_morf": float(lerf_morf(removed.watching("logit"))),
        "lerf_morf_probability": float(lerf_morf(removed.watching("probability"))),
        "seconds": seconds,
    }


def read(path: Path) -> dict[str, dict]:
    """Results by key; a later line replaces an earlier one, a line that was cut off is left out."""
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            record = json.loads(line)
            found[key_of(record)] = record
        except (ValueError, KeyError):
            continue
    return found


def tasks(models: dict[str, int], photos: Iterable[Path], rows: Iterable[str]) -> list[Task]:
    """All measurements in the order in which they are made: model, photo by name, then row, the slow ones last."""
    ordered = sorted(set(photos))
    methods = {row: METHODS[ROWS[row][1]] for row in rows}
    order = sorted(methods, key=lambda row: (methods[row].slow, not methods[row].baseline, methods[row].gradient))
    return [
        Task(model, str(photo), row, number)
        for model, count in models.items()
        for number, photo in enumerate(ordered[:count])
        for row in order
    ]


def results(pending: list[Task], workers: int) -> Iterator[dict]:
    """Measured lines, as they come; each worker is a process with one thread."""
    if workers < 2:
        yield from map(measure, pending)
        return
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        for future in as_completed([pool.submit(measure, task) for task in pending]):
            yield future.result()


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Mean and half the width of its 95 % confidence interval (1.96 standard errors)."""
    if len(values) < 2:
        return statistics.fmean(values), float("nan")
    return statistics.fmean(values), 1.96 * statistics.stdev(values) / len(values) ** 0.5


def tables(records: Iterable[dict], model: str) -> str:
    """Two tables in Markdown: every measure of every row, and what a row has over the baselines, photo by photo.

    Only photos that all rows with results have seen are counted.
    """
    seen: dict[str, dict[str, dict]] = {}
    for record in records:
        row = row_of(record)
        if record["model"] == model and row:
            seen.setdefault(row, {})[record["photo"]] = record
    if not seen:
        return f"{model}: nothing measured yet."
    photos = sorted(set.intersection(*(set(found) for found in seen.values())))
    if not photos:
        return f"{model}: no photo has been seen by all of {', '.join(seen)} yet."
    seen = dict(sorted(seen.items(), key=lambda item: -statistics.fmean(item[1][p]["lerf_morf"] for p in photos)))

    def cell(mean: float, half: float, digits: int) -> str:
        return f"{mean:.{digits}f} ± {half:.{digits}f}".replace("-", "−")

    def line(*cells: str) -> str:
        return f"| {' | '.join(cells)} |"

    def values(row: str, column: str) -> list[float]:
        return [seen[row][photo][column] for photo in photos]

    digits = {"positive": 1, "negative": 1, "insertion": 3, "deletion": 3, "lerf_morf": 2}
    lines = [f"{model}, {len(photos)} photos", ""]
    lines.append(line("method", *(title for title, _ in COLUMNS.values()), "s / photo"))
    lines.append(f"|---{'|---:' * (len(COLUMNS) + 1)}|")
    for row in seen:
        cells = [cell(*interval(values(row, column)), digits[column]) for column in COLUMNS]
        lines.append(line(ROWS[row][0], *cells, f"{statistics.fmean(values(row, 'seconds')):.2f}"))
    over = [b for b in BASELINES if b in seen]
    measures = (("LeRF − MoRF", "lerf_morf", 2), ("positive", "positive", 1), ("negative", "negative", 1))
    lines += ["", "Better than a baseline by (paired, photo by photo):", ""]
    lines.append(line("method", *(f"{ROWS[b][0]}: {what}" for b in over for what, _, _ in measures)))
    lines.append(f"|---{'|---:' * (len(measures) * len(over))}|")
    for row in (r for r in seen if r not in BASELINES):
        cells = []
        for b in over:
            for _, c, d in measures:
                gains = [COLUMNS[c][1] * (seen[row][p][c] - seen[b][p][c]) for p in photos]
                cells.append(cell(*interval(gains), d))
        lines.append(line(ROWS[row][0], *cells))
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.faithfulness", description="Faithfulness of every method on the same photos."
    )
    parser.add_argument("--photos", type=int, default=100, help="photos for DeiT-Tiny (default: 100)")
    parser.add_argument("--embedded-photos", type=int, default=30, help="photos for the embedded model (default: 30)")
    folder_flags(parser, "--folder")
    parser.add_argument("--methods", nargs="+", default=list(ROWS), choices=ROWS, metavar="NAME")
    parser.add_argument("--again", nargs="+", default=[], choices=ROWS, metavar="NAME", help="measure these anew")
    parser.add_argument("--results", type=Path, default=Path("build/faithfulness.jsonl"), help="file of results")
    parser.add_argument("--workers", type=int, default=1, help="processes of one thread each (default: 1)")
    parser.add_argument("--table", action="store_true", help="measure nothing, print what is there")
    args = parser.parse_args(arguments)
    here = models_here(args.weights)
    counts = {DEIT: args.photos, available()[0]: args.embedded_photos}
    if not args.table:
        photos = [file for file, _ in labelled(parser, args.folder)]
        known = read(args.results)
        models = {here[name]: count for name, count in counts.items() if name in here}
        wanted = tasks(models, photos, [*dict.fromkeys([*args.methods, *args.again])])
        pending = [task for task in wanted if key_of(task.identity) not in known or task.row in args.again]
        args.results.parent.mkdir(parents=True, exist_ok=True)
        print(f"{len(wanted) - len(pending)} of {len(wanted)} measurements are there", flush=True)
        start = time.perf_counter()
        cut_off = args.results.exists() and not args.results.read_bytes().endswith(b"\n")
        with args.results.open("a", encoding="utf-8") as file:
            file.write("\n" if cut_off else "")  # what was cut off must not swallow the next line
            for done, record in enumerate(results(pending, args.workers), 1):
                file.write(json.dumps(record) + "\n")
                file.flush()
                if done % len(args.methods) == 0 or done == len(pending):
                    minutes = (time.perf_counter() - start) / 60
                    print(f"{done} of {len(pending)} in {minutes:.1f} min", flush=True)
    records = list(read(args.results).values())
    for model in counts if args.table else here:
        print(f"\n{tables(records, model)}", flush=True)


if __name__ == "__main__":
    main()
