"""How far the methods agree: the rank correlation of each pair of maps, averaged over photos.

    python -m benchmarks.agreement [--photos 30] [--folder DIR] [--weights DIR] [--methods NAME …]

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
from visualize import METHODS, explain, rank_correlation
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


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.agreement", description="How far the methods agree.")
    parser.add_argument("--photos", type=int, default=30, help="photos (default: 30)")
    folder_flags(parser, "--folder")
    parser.add_argument("--methods", nargs="+", default=QUICK, choices=METHODS, metavar="NAME", help="two or more")
    args = parser.parse_args(arguments)
    methods = list(dict.fromkeys(args.methods))
    if len(methods) < 2:
        parser.error("agreement takes two methods or more")
    files = sorted({file for file, _ in labelled(parser, args.folder)})[: args.photos]
    for name, where in models_here(args.weights).items():
        found = correlations(load(where), files, methods)
        mean = statistics.fmean(value for values in found.values() for value in values)
        print(
            f"\n{name}, {len(files)} photos; mean of all pairs {written(mean)}\n\n{table(found, methods)}", flush=True
        )


if __name__ == "__main__":
    main()
