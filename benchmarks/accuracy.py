"""Top-1 and top-5 accuracy of the embedded model, and of DeiT-Tiny where its weights are, on labelled photos.

    python -m benchmarks.accuracy [--photos DIR] [--weights DIR] [--batch 32]

The folder of photos holds labels.csv with the columns file and class_index; the folder of weights holds
deit_tiny_patch16_224.safetensors. Both default to the environment variables VIT_PHOTOS and VIT_WEIGHTS.
"""

import argparse
import csv
import os
from pathlib import Path

import torch

from vit.checkpoints import Pretrained, available, load
from vit.images import open_image


def accuracy(pretrained: Pretrained, photos: Path, *, batch: int = 32) -> tuple[float, float, int]:
    """Top-1 and top-5, as shares of 1, and the number of photos in the folder that labels.csv lists."""
    with (photos / "labels.csv").open(encoding="utf-8", newline="") as file:
        rows = [(row["file"], int(row["class_index"])) for row in csv.DictReader(file)]
    first = five = 0
    for start in range(0, len(rows), batch):
        part = rows[start : start + batch]
        pixels = torch.cat([pretrained.preprocess(open_image(photos / name)).pixels for name, _ in part])
        with torch.inference_mode():
            best = pretrained.model(pixels).topk(5).indices  # [B 5]
        right = best == torch.tensor([index for _, index in part])[:, None]
        first += int(right[:, 0].sum())
        five += int(right.any(dim=1).sum())
    return first / len(rows), five / len(rows), len(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description="Accuracy of the embedded model and of DeiT-Tiny on labelled photos.")
    parser.add_argument("--photos", type=Path, default=os.environ.get("VIT_PHOTOS"), help="folder with labels.csv")
    parser.add_argument("--weights", type=Path, default=os.environ.get("VIT_WEIGHTS"), help="folder of weights")
    parser.add_argument("--batch", type=int, default=32, help="photos at a time")
    args = parser.parse_args()
    if args.photos is None:
        parser.error("name a folder of photos: --photos or VIT_PHOTOS")
    names: list[str | Path] = [available()[0]]
    deit = Path(args.weights) / "deit_tiny_patch16_224.safetensors" if args.weights else None
    if deit and deit.is_file():
        names.append(deit)
    for name in names:
        pretrained = load(name)
        first, five, count = accuracy(pretrained, Path(args.photos), batch=args.batch)
        print(f"{pretrained.checkpoint.name}: top-1 {first:.3f}, top-5 {five:.3f} on {count} photos")


if __name__ == "__main__":
    main()
