"""What it costs to look layer by layer: everything that the page shows of layers and heads against one plain forward.

    python -m benchmarks.layers

All parts are computed from one traced photo, without gradients, in float32; each turn runs the plain forward and then
every part, so that a busy machine slows all of them. A row gives the median time and the median ratio to the forward
of its own turn. The aim is at most 0.5 for all parts together. Tracing itself is measured by benchmarks.trace; what
depends on the weights alone (the tab "Model") is computed once per model and listed apart.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch

import visualize
import vit
from benchmarks.common import CLOCKS, speed_flags
from ui.layers.engine import describe
from vit.config import ViTConfig
from vit.model import ViT, ViTOutput

AIM = 0.5
MODELS = {
    "embedded": None,
    "ViT-Ti/16": ViTConfig(width=192, heads=3, hidden=768),
    "ViT-S/16": ViTConfig(width=384, heads=6, hidden=1536),
    "ViT-B/16": ViTConfig(),
}


def build(name: str) -> ViT:
    """The embedded model with its weights, or a random one of that size."""
    config = MODELS[name]
    return vit.load(vit.available()[0]).model if config is None else ViT(config).eval()


def parts(model: ViT, output: ViTOutput) -> dict[str, Callable[[], object]]:
    """What the page computes from one traced photo, by name; "all" is what stands beside the picture and in the tab."""

    def timeline() -> object:
        return (
            visualize.layer_probabilities(model, output),
            visualize.read_out_cosine(model, output),
            visualize.update_shares(model, output),
        )

    def sinks() -> object:
        fused = [a.mean(dim=1, keepdim=True) for a in output.attentions]
        received, norms = visualize.received_attention(fused)[:, 0], visualize.relative_norms(output)[:, 0]
        tokens = [s.token for s in visualize.find_sinks(received, norms, model.config)][model.config.prefix :]
        return [visualize.rollout_row(fused, model.config, without=some) for some in ([], tokens)]

    return {
        "timeline": timeline,
        "heads": lambda: visualize.head_statistics(output.attentions, model.config, output.grid),
        "patches": lambda: visualize.patch_predictions(model, output, range(5)),
        "sinks": sinks,
        "all": lambda: (timeline(), describe(model, output)),
    }


def once(model: ViT) -> dict[str, Callable[[], object]]:
    """What depends on the weights alone."""
    return {
        "filters": lambda: visualize.patch_filters(model),
        "positions": lambda: visualize.position_similarity(model),
        "norms": lambda: visualize.weight_norms(model),
    }


def measure(
    forward: Callable[[], object],
    others: dict[str, Callable[[], object]],
    seconds: float,
    clock: Callable[[], float],
    least: int = 5,
) -> tuple[int, float, dict[str, tuple[float, float]]]:
    """Turns, the forward's median in ms, and for every part its median in ms and its median ratio to the forward."""
    for each in (forward, *others.values()):
        each()
    plain: list[float] = []
    times: dict[str, list[float]] = {name: [] for name in others}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(plain) < least:
        start = clock()
        forward()
        plain.append(clock() - start)
        for name, part in others.items():
            start = clock()
            part()
            times[name].append(clock() - start)
    rows = {
        name: (statistics.median(spent) * 1e3, statistics.median(b / a for a, b in zip(plain, spent, strict=True)))
        for name, spent in times.items()
    }
    return len(plain), statistics.median(plain) * 1e3, rows


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.layers", description="Layer by layer against a forward."
    )
    speed_flags(parser, MODELS)
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    print(
        f"torch {torch.__version__}, float32, {torch.get_num_threads()} threads of a CPU, "
        f"{arguments.clock} time, one photo of 224 pixels\n"
    )
    worst = 0.0
    with torch.no_grad():
        for name in arguments.models:
            model = build(name)
            pixels = torch.randn(1, 3, *model.config.size)
            output = model.trace(pixels)
            per_photo = parts(model, output)
            turns, plain, rows = measure(
                lambda m=model, p=pixels: m(p), per_photo | once(model), arguments.seconds, CLOCKS[arguments.clock]
            )
            print(f"{name}: forward {plain:.1f} ms, {turns} turns")
            for part, (spent, ratio) in rows.items():
                note = "" if part in per_photo else "  (once per model)"
                print(f"  {part:<10} {spent:>8.1f} ms {ratio:>6.2f}{note}", flush=True)
            worst = max(worst, rows["all"][1])
    print(f"\nlargest ratio of all parts together {worst:.2f}; the aim is at most {AIM}")


if __name__ == "__main__":
    main()
