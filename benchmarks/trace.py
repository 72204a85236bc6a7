"""What it costs to keep every attention map: our `trace` against timm's fused forward, which keeps none.

    python -m benchmarks.trace

Both run the same random weights without gradients, in float32 and evaluation mode, in turns within one process, so
that a busy machine slows both. The first number of a row is timm's median, the second ours; the ratio is the median
of the ratios of neighbouring runs. The aim is at most 1.1 for up to 257 tokens.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import timm
import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor

from benchmarks.common import CLOCKS, speed_flags
from vit.config import ViTConfig
from vit.model import ViT

AIM = 1.1
MODELS = {
    "ViT-Ti/16": ViTConfig(width=192, heads=3, hidden=768),
    "ViT-S/16": ViTConfig(width=384, heads=6, hidden=1536),
    "ViT-B/16": ViTConfig(),
    "ViT-S/14": ViTConfig(width=384, heads=6, hidden=1536, patch_size=14),
}


def timm_names(model: ViT) -> dict[str, Tensor]:
    """Our weights under timm's names (the plain class-token model only: all that is compared here)."""
    names = {
        "patch_embedding.projection": "patch_embed.proj",
        "patch_embedding.cls_token": "cls_token",
        "patch_embedding.positions": "pos_embed",
        "encoder_blocks": "blocks",
        "self_attn.": "attn.",
        "feed_forward.": "mlp.",
        "residual1.norm": "norm1",
        "residual2.norm": "norm2",
        "classification_head.norm": "norm",
        "classification_head.linear": "head",
    }
    weights = {}
    for name, tensor in model.state_dict().items():
        for ours, theirs in names.items():
            name = name.replace(ours, theirs)
        weights[name] = tensor[None] if name == "pos_embed" else tensor
    return weights


def pair(name: str, batch: int) -> tuple[Callable[[], Tensor], Callable[[], Tensor]]:
    """timm's forward and our trace, with the same weights and pixels; both give the logits, checked to agree."""
    c = MODELS[name]
    ours = ViT(c).eval()
    reference = VisionTransformer(patch_size=c.patch_size, embed_dim=c.width, num_heads=c.heads).eval()
    reference.load_state_dict(timm_names(ours), strict=True)
    pixels = torch.randn(batch, 3, 224, 224)

    def traced() -> Tensor:
        logits = ours.trace(pixels).logits
        assert logits is not None
        return logits

    def fused() -> Tensor:
        return reference(pixels)

    torch.testing.assert_close(traced(), fused(), atol=1e-5, rtol=1e-4)
    return fused, traced


def compare(
    first: Callable, second: Callable, seconds: float, clock: Callable[[], float], least: int = 5
) -> tuple[float, float, float, int]:
    """Medians of both in ms, the median ratio second / first, and how many pairs were run (in alternating order)."""
    for _ in range(2):
        first()
        second()
    times: tuple[list[float], list[float]] = ([], [])
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[0]) < least:
        order = (0, 1) if len(times[0]) % 2 else (1, 0)
        for which in order:
            start = clock()
            (first, second)[which]()
            times[which].append(clock() - start)
    ratio = statistics.median(b / a for a, b in zip(*times, strict=True))
    return statistics.median(times[0]) * 1e3, statistics.median(times[1]) * 1e3, ratio, len(times[0])


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.trace",
        description="Our trace, with all attention maps, against timm's fused forward.",
    )
    speed_flags(parser, MODELS)
    parser.add_argument("--batch", nargs="+", type=int, default=[1, 4], help="batch sizes (default: 1 4)")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    print(
        f"torch {torch.__version__}, timm {timm.__version__}, float32, {torch.get_num_threads()} threads of a CPU, "
        f"{arguments.clock} time\n"
    )
    print(f"{'model':<10} {'tokens':>6} {'batch':>5} {'pairs':>5} {'timm fused':>12} {'our trace':>12} {'ratio':>6}")
    worst = 0.0
    with torch.no_grad():
        for name in arguments.models:
            config = MODELS[name]
            tokens = config.prefix + config.grid[0] * config.grid[1]
            for batch in arguments.batch:
                a, b, ratio, pairs = compare(*pair(name, batch), arguments.seconds, CLOCKS[arguments.clock])
                worst = max(worst, ratio)
                print(
                    f"{name:<10} {tokens:>6} {batch:>5} {pairs:>5} {a:>9.1f} ms {b:>9.1f} ms {ratio:>6.2f}", flush=True
                )
    print(f"\nlargest ratio {worst:.2f}; the aim is at most {AIM}")


if __name__ == "__main__":
    main()
