"""How far the methods agree: the rank correlation of each pair of maps, averaged over photos.

    python -m benchmarks.agreement [--photos 30] [--folder DIR] [--weights DIR] [--methods NAME …] [--checks]

With --checks, instead: each method's correlation with its own map after the top half of the model forgot everything
(near 0 is good), and after the photo was flipped and shifted (near 1 is good).

For the embedded model, and for DeiT-Tiny where its weights are, over the first photos by file name of a folder whose
labels.csv has the columns file and class_index. The class explained is the model's prediction. The folders default to
the environment variables VIT_PHOTOS and VIT_WEIGHTS. Slow methods are left out unless they are named.
"""

import argparse
import statistics
from collections.abc import Iterable
from pathlib import Path

from benchmarks.common import folder_flags, labelled, models_here
from benchmarks.faithfulness import interval
from visualize import METHODS, explain, model_dependence, rank_correlation, stability
from vit.checkpoints import Pretrained, load
from vit.images import open_image

QUICK = [name for name, method in METHODS.items() if not method.slow]


def correlations(pretrained: Pretrained, files: Iterable[Path], methods: list[str]) -> dict[tuple[str, str], list]:
    """Spearman's ρ of each pair of methods on each photo."""
    found: dict[tuple[str, str], list] = {}
    for number, file in enumerate(files):
        pixels = pretrained.preprocess(open_image(file)).pixels
        options = {"random": {"seed": number}}
        maps = {name: explain(pretrained.model, pixels, name, **options.get(name, {})) for name in methods}
        for i, first in enumerate(methods):
            for second in methods[:i]:
                found.setdefault((first, second), []).append(float(rank_correlation(maps[first], maps[second])))
    return found


def written(r: float) -> str:
    """A correlation in two digits, never as a nought below zero."""
    return f"{round(r, 2) + 0.0:.2f}".replace("-", "−")


def table(found: dict[tuple[str, str], list], methods: list[str]) -> str:
    """The lower triangle in Markdown: mean and 95 % confidence interval."""

    def cell(first: str, second: str) -> str:
        mean, half = interval(found[first, second])
        return f"{written(mean)} ± {half:.2f}"

    lines = [
        f"| | {' | '.join(METHODS[name].label for name in methods[:-1])} |",
        f"|---{'|---:' * (len(methods) - 1)}|",
    ]
    for i, first in enumerate(methods[1:], 1):
        cells = [cell(first, second) for second in methods[:i]] + [""] * (len(methods) - 1 - i)
        lines.append(f"| {METHODS[first].label} | {' | '.join(cells)} |")
    return "\n".join(lines)


def checks(pretrained: Pretrained, files: Iterable[Path], methods: list[str]) -> str:
    """A table in Markdown: dependence on the model and stability of each method, mean and 95 % confidence interval."""
    found: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in methods}
    for file in files:
        pixels = pretrained.preprocess(open_image(file)).pixels
        for name, values in found.items():
            for measure, kept in zip((model_dependence, stability), values, strict=True):
                kept.append(float(measure(pretrained.model, pixels, name)))
    lines = ["| method | top half forgotten → 0 | flipped and shifted → 1 |", "|---|---:|---:|"]
    for name, values in found.items():
        cells = (f"{written(mean)} ± {half:.2f}" for mean, half in map(interval, values))
        lines.append(f"| {METHODS[name].label} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.agreement", description="How far the methods agree.")
    parser.add_argument("--photos", type=int, default=30, help="photos (default: 30)")
    folder_flags(parser, "--folder")
    parser.add_argument("--methods", nargs="+", default=QUICK, choices=METHODS, metavar="NAME", help="two or more")
    parser.add_argument("--checks", action="store_true", help="dependence on the model and stability instead")
    args = parser.parse_args(arguments)
    methods = list(dict.fromkeys(args.methods))
    if args.checks:
        methods = [name for name in methods if not METHODS[name].baseline]
    elif len(methods) < 2:
        parser.error("agreement takes two methods or more")
    files = sorted({file for file, _ in labelled(parser, args.folder)})[: args.photos]
    for name, where in models_here(args.weights).items():
        if args.checks:
            print(f"\n{name}, {len(files)} photos\n\n{checks(load(where), files, methods)}", flush=True)
            continue
        found = correlations(load(where), files, methods)
        mean = statistics.fmean(value for values in found.values() for value in values)
        print(
            f"\n{name}, {len(files)} photos; mean of all pairs {written(mean)}\n\n{table(found, methods)}", flush=True
        )


if __name__ == "__main__":
    main()
