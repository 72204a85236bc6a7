"""Top-1 and top-5 accuracy of the embedded model, and of DeiT-Tiny where its weights are, on labelled photos.

    python -m benchmarks.accuracy [--photos DIR] [--weights DIR] [--batch 32]

The folder of photos holds labels.csv with the columns file and class_index; the folder of weights holds
deit_tiny_patch16_224.safetensors. Both default to the environment variables VIT_PHOTOS and VIT_WEIGHTS.
"""

import argparse
from pathlib import Path

import torch

from benchmarks.common import folder_flags, labelled, models_here
from vit.checkpoints import Pretrained, load
from vit.images import open_image


def accuracy(pretrained: Pretrained, photos: list[tuple[Path, int]], *, batch: int = 32) -> tuple[float, float]:
    """Top-1 and top-5, as shares of 1, over photos with their classes."""
    first = five = 0
    for start in range(0, len(photos), batch):
        part = photos[start : start + batch]
        pixels = torch.cat([pretrained.preprocess(open_image(file)).pixels for file, _ in part])
        with torch.inference_mode():
            best = pretrained.model(pixels).topk(5).indices  # [B 5]
        right = best == torch.tensor([index for _, index in part])[:, None]
        first += int(right[:, 0].sum())
        five += int(right.any(dim=1).sum())
    return first / len(photos), five / len(photos)


def main() -> None:
    parser = argparse.ArgumentParser(description="Accuracy of the embedded model and of DeiT-Tiny on labelled photos.")
    folder_flags(parser)
    parser.add_argument("--batch", type=int, default=32, help="photos at a time")
    args = parser.parse_args()
    photos = labelled(parser, args.photos)
    for name, where in models_here(args.weights).items():
        first, five = accuracy(load(where), photos, batch=args.batch)
        print(f"{name}: top-1 {first:.3f}, top-5 {five:.3f} on {len(photos)} photos")


if __name__ == "__main__":
    main()
