"""What several benchmarks share: their flags, the labelled photos, and the models that are here without a network."""

import argparse
import csv
import os
import time
from collections.abc import Iterable
from pathlib import Path

from vit.checkpoints import available

DEIT = "deit_tiny_patch16_224"
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


def folder_flags(parser: argparse.ArgumentParser, photos: str = "--photos") -> None:
    """The folders of photos and of weights; both default to the environment."""
    parser.add_argument(photos, type=Path, default=from_environment("VIT_PHOTOS"), help="folder with labels.csv")
    parser.add_argument("--weights", type=Path, default=from_environment("VIT_WEIGHTS"), help="folder of weights")


def from_environment(name: str) -> Path | None:
    """The folder that a variable of the environment names, if it does."""
    return Path(os.environ[name]) if os.environ.get(name) else None


def speed_flags(parser: argparse.ArgumentParser, models: Iterable[str]) -> None:
    """Which models to time, for how long and by which clock."""
    names = list(models)
    parser.add_argument("--models", nargs="+", default=names, choices=names, metavar="MODEL", help="default: all")
    parser.add_argument("--seconds", type=float, default=10.0, help="time for each row (default: 10)")
    parser.add_argument("--threads", type=int, help="threads of PyTorch (default: its own choice)")
    parser.add_argument(
        "--clock",
        choices=CLOCKS,
        default="wall",
        help="cpu: processor time, steadier on a busy machine with --threads 1",
    )


def labelled(parser: argparse.ArgumentParser, folder: Path | None) -> list[tuple[Path, int]]:
    """Photos and their classes as the folder's labels.csv lists them; ends the program when no folder was named."""
    if folder is None:
        parser.error("name a folder of photos, with a flag or VIT_PHOTOS")
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as file:
        return [(folder / row["file"], int(row["class_index"])) for row in csv.DictReader(file)]


def models_here(weights: Path | None) -> dict[str, str]:
    """Name to what `vit.load` takes: the embedded model, and DeiT-Tiny where its file is."""
    embedded = available()[0]
    deit = weights / f"{DEIT}.safetensors" if weights else None
    return {embedded: embedded} | ({DEIT: str(deit)} if deit and deit.is_file() else {})
