"""Mean attention distance and entropy of every head over many photos: the grey dots of the tab "Layers and heads".

    python -m benchmarks.head_averages [--photos DIR] [--weights DIR] [--out assets/head_averages.json]

For the embedded model, and for DeiT-Tiny where its weights are. The folder of photos holds labels.csv with the columns
file and class_index; all photos that it lists are used, at each model's own input size. The folders default to the
environment variables VIT_PHOTOS and VIT_WEIGHTS. An entry holds the SHA-256 of the weights that it was made with, so
that the page shows it for no others; entries of models that are not run again are kept.
"""

import argparse
import json
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.common import folder_flags, labelled, models_here
from visualize import attention_distance, attention_entropy
from vit.checkpoints import Pretrained, load
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
    folder_flags(parser)
    parser.add_argument("--out", type=Path, default=ASSET, help="JSON file that is written (default: the page's)")
    args = parser.parse_args()
    files = [file for file, _ in labelled(parser, args.photos)]
    known = json.loads(args.out.read_text(encoding="utf-8")) if args.out.is_file() else {}
    for key, where in models_here(args.weights).items():
        known[key] = entry(load(where), files)
        distance = known[key]["distance"]
        means = [sum(row) / len(row) for row in distance]
        print(f"{key}: {len(files)} photos, mean distance {means[0]:.1f} px in layer 1, {means[-1]:.1f} px in the last")
    args.out.write_text(json.dumps(known, indent=None, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
