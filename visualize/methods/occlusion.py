"""Occlusion: cover one patch, see how far the class falls. Exact, and one forward pass for each patch."""

from collections.abc import Sequence

import torch
from torch import Tensor

from visualize.methods.base import Method, Target, check_choice, check_whole
from visualize.methods.pixel_gradients import baseline_like
from vit.model import ViT

SCORES = ("logit", "probability")


def run(
    model: ViT,
    pixels: Tensor,
    target: Target,
    *,
    score: str = "logit",
    baseline: str = "mean",
    batch_size: int = 32,
    patches: Sequence[int] | None = None,
) -> Tensor:
    """The class's score minus its score with that patch covered: signed values [B rows cols].

    The patch turns to `baseline`: "mean" (the image's own mean colour) or "zero" (0 after normalisation). `score` is
    "logit" or "probability"; at most `batch_size` pictures go through the model at once. `patches` (first, end) covers
    only those patches, counted in reading order, and leaves the rest of the map 0: maps of parts add up to the whole.
    Source: Zeiler and Fergus 2014, arXiv 1311.2901, section 4.2, with patches for the grey square.
    """
    check_choice("score", score, SCORES)
    check_whole("batch_size", batch_size, 1, 1 << 20)
    rows, cols = model.patch_embedding.grid_of(pixels)
    first, end = (0, rows * cols) if patches is None else _part(patches, rows * cols)
    fill = baseline_like(pixels, baseline)
    logits = model(pixels)
    target = target.resolve(logits)
    side = model.config.patch_size
    cells = torch.eye(rows * cols, dtype=torch.bool, device=pixels.device).view(-1, rows, cols)[first:end]
    falls = []
    for i, whole in enumerate(_scores(logits, score)):
        covered = []
        for part in cells.split(batch_size):
            mask = part.repeat_interleave(side, dim=1).repeat_interleave(side, dim=2)[:, None]  # [part 1 H W]
            covered.append(_scores(model(torch.where(mask, fill[i], pixels[i])), score))
        fall = whole - torch.cat(covered)  # [patches classes]
        falls.append(target.of_image(i).score(fall))
    around = first, rows * cols - end
    return torch.nn.functional.pad(torch.stack(falls), around).view(-1, rows, cols)


def _part(patches: Sequence[int], count: int) -> tuple[int, int]:
    """Checked `patches`: at least one, within the grid."""
    if isinstance(patches, str) or not isinstance(patches, Sequence) or len(patches) != 2:
        raise ValueError(
            f"patches must be two whole numbers, the first patch and the one to end before, not {patches!r}."
        )
    first = check_whole("the first of patches", patches[0], 0, count - 1)
    return first, check_whole("the end of patches", patches[1], first + 1, count)


def _scores(logits: Tensor, score: str) -> Tensor:
    return logits if score == "logit" else logits.softmax(dim=-1)


METHOD = Method(
    name="occlusion",
    label="Occlusion",
    needs_target=True,
    paper="Zeiler and Fergus 2014, arXiv 1311.2901",
    shows="How far the score of the chosen class falls when one patch is painted over, measured for every patch.",
    limits="It does not show patches that stand in for each other: painting over either one alone changes nothing.",
    run=run,
    contrastive=True,
    slow=True,
)
