"""Mean attention distance and entropy of every head over many photos: the grey dots of the tab "Layers and heads".

    python -m benchmarks.head_averages [--photos DIR] [--weights DIR] [--out assets/head_averages.json]

For the embedded model, and for DeiT-Tiny where its weights are. The folder of photos holds labels.csv with a column
file; all photos that it lists are used, at each model's own input size. The folders default to the environment
variables VIT_PHOTOS and VIT_WEIGHTS. An entry holds the SHA-256 of the weights that it was made with, so that the page
shows it for no others; entries of models that are not run again are kept.
"""

import argparse
import csv
import json
import os
from pathlib import Path

import torch
from torch import Tensor

from visualize import attention_distance, attention_entropy
from vit.checkpoints import Pretrained, available, load
from vit.images import open_image

ASSET = Path(__file__).parents[1] / "assets" / "head_averages.json"


def averages(pretrained: Pretrained, files: list[Path]) -> tuple[Tensor, Tensor]:
    """Distance in pixels and entropy (of 1), means over the photos: [depth head] each."""
    model, c = pretrained.model, pretrained.model.config
    distance, entropy = torch.zeros(c.depth, c.heads), torch.zeros(c.depth, c.heads)
    for file in files:
        with torch.no_grad():
            output = model.trace(pretrained.preprocess(open_image(file)).pixels)
        for layer, attention in enumerate(output.attentions):
            distance[layer] += attention_distance(attention, output.grid, c.patch_size, output.prefix)[0]
            entropy[layer] += attention_entropy(attention)[0]
    return distance / len(files), entropy / len(files)


def entry(pretrained: Pretrained, files: list[Path]) -> dict:
    """One model's averages with what they were made from."""
    distance, entropy = averages(pretrained, files)
    return {
        "photos": len(files),
        "grid": list(pretrained.model.config.grid),
        "weights_sha256": pretrained.sha256,
        "distance": [[round(value, 2) for value in row] for row in distance.tolist()],
        "entropy": [[round(value, 4) for value in row] for row in entropy.tolist()],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Means of attention distance and entropy over many photos.")
    parser.add_argument("--photos", type=Path, default=os.environ.get("VIT_PHOTOS"), help="folder with labels.csv")
    parser.add_argument("--weights", type=Path, default=os.environ.get("VIT_WEIGHTS"), help="folder of weights")
    parser.add_argument("--out", type=Path, default=ASSET, help="JSON file that is written (default: the page's)")
    args = parser.parse_args()
    if args.photos is None:
        parser.error("name a folder of photos: --photos or VIT_PHOTOS")
    with (Path(args.photos) / "labels.csv").open(encoding="utf-8", newline="") as file:
        files = [Path(args.photos) / row["file"] for row in csv.DictReader(file)]
    names: list[str | Path] = [available()[0]]
    deit = Path(args.weights) / "deit_tiny_patch16_224.safetensors" if args.weights else None
    if deit and deit.is_file():
        names.append(deit)
    known = json.loads(args.out.read_text(encoding="utf-8")) if args.out.is_file() else {}
    for name in names:
        pretrained = load(name)
        key = deit.stem if deit and name == deit else pretrained.checkpoint.name
        known[key] = entry(pretrained, files)
        distance = known[key]["distance"]
        means = [sum(row) / len(row) for row in distance]
        print(f"{key}: {len(files)} photos, mean distance {means[0]:.1f} px in layer 1, {means[-1]:.1f} px in the last")
    args.out.write_text(json.dumps(known, indent=None, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
