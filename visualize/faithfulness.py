"""Is a map true? Change the photo in the order that the map gives, and watch the class.

Order is always by falling value; equal values keep reading order, so a result can be reproduced.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from visualize.methods.base import ClassIndex, check_choice, check_number, check_whole, classes_of, precise
from vit.model import ViT

SCORES = ("top1", "probability", "logit")


@dataclass(frozen=True, eq=False)
class Faithfulness:
    """Insertion and deletion of a batch: probability of the class against the share of patches changed.

    A faithful map has a high insertion area and a low deletion area; both lie in 0 … 1.
    """

    insertion_curve: Tensor  # [B steps+1], from the blurred photo to the photo
    deletion_curve: Tensor  # [B steps+1], from the photo to its mean colour
    insertion: Tensor  # [B], area
    deletion: Tensor  # [B], area
    shares: Tensor  # [steps+1], share of patches changed, 0 … 1
    target: Tensor  # [B], the class that was watched


@dataclass(frozen=True, eq=False)
class Perturbation:
    """Positive (most relevant pixels first) and negative (least relevant first) perturbation of a batch.

    One run holds all three scores: "top1", "probability" and "logit"; curves and areas are those of `score`.
    """

    curves: dict[str, tuple[Tensor, Tensor]]  # for each score the positive and the negative curve, [B shares]
    shares: Tensor  # [shares], share of pixels removed, beginning with 0
    target: Tensor  # [B]
    score: str = "top1"

    def watching(self, score: str) -> "Perturbation":
        """The same run in another score. Costs no pass through the model."""
        check_choice("score", score, SCORES)
        return replace(self, score=score)

    @property
    def positive_curve(self) -> Tensor:
        """[B shares], the most relevant pixels removed first."""
        return self.curves[self.score][0]

    @property
    def negative_curve(self) -> Tensor:
        """[B shares], the least relevant pixels removed first."""
        return self.curves[self.score][1]

    @property
    def positive(self) -> Tensor:
        """Area × 100 under the positive curve: [B]. Lower is better."""
        return 100 * trapezoid(self.positive_curve, self.shares)

    @property
    def negative(self) -> Tensor:
        """Area × 100 under the negative curve: [B]. Higher is better."""
        return 100 * trapezoid(self.negative_curve, self.shares)


def trapezoid(curve: Tensor, x: Tensor) -> Tensor:
    """Area under curves [B points] over x [points], by the trapezoid rule: [B]."""
    return torch.trapezoid(curve, x.to(curve), dim=-1)


def patch_order(heatmap: Tensor) -> Tensor:
    """Patch numbers (reading order) by falling value, equal values in reading order: [B rows cols] to [B patches]."""
    return heatmap.flatten(1).argsort(dim=1, descending=True, stable=True)


def ranks(values: Tensor, descending: bool = True) -> Tensor:
    """For each entry of [B entries], how many come before it in the order: [B entries]."""
    order = values.argsort(dim=1, descending=descending, stable=True)
    places = torch.arange(values.shape[1], device=values.device).expand_as(order)
    return torch.empty_like(order).scatter(1, order, places)


def blur(pixels: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of images [B C H W] with σ in pixels, cut at 4 σ, the border repeated."""
    radius = max(1, round(4 * sigma))
    x = torch.arange(-radius, radius + 1, device=pixels.device, dtype=pixels.dtype)
    kernel = (-(x**2) / (2 * sigma**2)).exp()
    kernel = (kernel / kernel.sum()).expand(pixels.shape[1], 1, 1, -1)
    groups = pixels.shape[1]
    across = F.conv2d(F.pad(pixels, (radius, radius, 0, 0), mode="replicate"), kernel, groups=groups)
    down = F.pad(across, (0, 0, radius, radius), mode="replicate")
    return F.conv2d(down, kernel.transpose(2, 3), groups=groups)


def change_patches(pixels: Tensor, filling: Tensor, heatmap: Tensor, count: int) -> Tensor:
    """Images [B C H W] whose `count` patches with the highest values of the map [B rows cols] come from `filling`.

    `filling` is [B C H W] or anything that broadcasts to it. Used for every step of deletion (the photo, filled with
    its mean colour) and insertion (the blurred photo, filled with the photo).
    """
    height, width = (side // cells for side, cells in zip(pixels.shape[2:], heatmap.shape[1:], strict=True))
    changed = (ranks(heatmap.flatten(1)) < count).view_as(heatmap)  # [B rows cols]
    mask = changed.repeat_interleave(height, dim=1).repeat_interleave(width, dim=2)
    return torch.where(mask[:, None], filling, pixels)


def mean_colour(pixels: Tensor) -> Tensor:
    """The mean of each channel of each image: [B C 1 1]."""
    return pixels.mean(dim=(2, 3), keepdim=True)


def _prepare(
    model: ViT, pixels: Tensor, heatmap: Tensor, target: ClassIndex, batch_size: int
) -> tuple[Tensor, Tensor, Tensor]:
    """The map [B rows cols] and the class [B], checked, and the photo's scores [3 B 1]. None: the prediction."""
    if not model.config.classes:
        raise ValueError("Faithfulness watches the score of a class, and this model has no classification head.")
    if model.training and model.config.dropout:
        raise ValueError("This model is in training mode, where dropout changes every score: call model.eval().")
    check_whole("batch_size", batch_size, 1, 1 << 20)
    grid = model.patch_embedding.grid_of(pixels)
    heatmap = heatmap.detach().to(pixels.device)
    heatmap = heatmap[None] if heatmap.ndim == 2 else heatmap
    if tuple(heatmap.shape) != (len(pixels), *grid):
        raise ValueError(
            f"Expected a map [{len(pixels)} {grid[0]} {grid[1]}] for these images, got {list(heatmap.shape)}."
        )
    if not heatmap.isfinite().all():
        raise ValueError("The map holds values that are not finite numbers (NaN or infinite).")
    index = classes_of(target, len(pixels), model.config.classes)
    logits = torch.cat([model(part) for part in pixels.split(batch_size)])
    index = logits.argmax(-1) if index is None else index.to(pixels.device)
    return heatmap, index, _scores(logits, index)[..., None]


def _scores(logits: Tensor, classes: Tensor) -> Tensor:
    """Is it the top class (1 or 0), its probability, its logit: logits [B classes] to [3 B], in the order of SCORES."""
    logits = logits.double().cpu()
    index = classes.cpu()[:, None]
    top = (logits.argmax(-1, keepdim=True) == index).double()
    return torch.stack([top, logits.softmax(-1).gather(1, index), logits.gather(1, index)])[..., 0]


def _watch(
    model: ViT,
    change: Callable[[Tensor, int], Tensor],
    target: Tensor,
    counts: list[int],
    batch_size: int,
) -> Tensor:
    """The scores of each image's class for each count, at most `batch_size` images at a time: [3 B counts].

    `change(images, count)` makes the pictures of the images with those numbers; none are kept.
    """
    pairs = [(i, k) for k in range(len(counts)) for i in range(len(target))]
    result = torch.zeros(len(SCORES), len(target), len(counts), dtype=torch.float64)
    for start in range(0, len(pairs), batch_size):
        part = pairs[start : start + batch_size]
        groups: dict[int, list[int]] = {}
        for i, k in part:
            groups.setdefault(k, []).append(i)
        where = {k: torch.tensor(i, device=target.device) for k, i in groups.items()}
        logits = model(torch.cat([change(i, counts[k]) for k, i in where.items()]))
        images, columns = torch.tensor(part).unbind(1)
        result[:, images, columns] = _scores(logits, target[torch.cat(list(where.values()))])
    return result


@torch.no_grad()
def insertion_deletion(
    model: ViT,
    pixels: Tensor,
    heatmap: Tensor,
    target: ClassIndex = None,
    *,
    steps: int = 28,
    sigma: float = 10.0,
    batch_size: int = 32,
) -> Faithfulness:
    """Insertion and deletion of images [B C H W] in the order of their maps [B rows cols], patch by patch.

    Step k changes the first round(k · patches / steps) patches. Deletion fills them with the image's mean colour;
    insertion uncovers them on a Gaussian blur of the photo (`sigma` in pixels). The curves are the softmax
    probability of `target` (index, tensor [B], or None for the prediction), the areas their trapezoids over 0 … 1.
    At most `batch_size` pictures go through the model at once.
    Raises ValueError when the map does not fit the images, and for a model without a head.
    Source: Petsiuk et al. 2018 (RISE), arXiv 1806.07421, section 4.1, with patches in place of pixels.
    """
    check_whole("steps", steps, 1, 100_000)
    check_number("sigma", sigma, 0.1, 1000)
    heatmap, index, photo = _prepare(model, pixels, heatmap, target, batch_size)
    patches = heatmap[0].numel()
    counts = [(2 * k * patches + steps) // (2 * steps) for k in range(steps + 1)]  # rounded, halves up
    mean, blurred = mean_colour(pixels), blur(pixels, sigma)

    def delete(i: Tensor, count: int) -> Tensor:
        return change_patches(pixels[i], mean[i], heatmap[i], count)

    def insert(i: Tensor, count: int) -> Tensor:
        return change_patches(blurred[i], pixels[i], heatmap[i], count)

    # The photo itself begins one curve and ends the other: it is not looked at again.
    which = SCORES.index("probability")
    deletion = torch.cat([photo, _watch(model, delete, index, counts[1:], batch_size)], dim=-1)[which]
    insertion = torch.cat([_watch(model, insert, index, counts[:-1], batch_size), photo], dim=-1)[which]
    shares = torch.tensor(counts, dtype=torch.float64) / patches
    areas = trapezoid(insertion, shares), trapezoid(deletion, shares)
    return Faithfulness(insertion, deletion, *areas, shares, index.cpu())


@torch.no_grad()
def perturbation(
    model: ViT,
    pixels: Tensor,
    heatmap: Tensor,
    target: ClassIndex = None,
    *,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    score: str = "top1",
    shares: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
    batch_size: int = 32,
) -> Perturbation:
    """Positive and negative perturbation: the most (least) relevant 10 … 90 % of the *pixels* turn black.

    Black is 0 before normalisation, so `mean` and `std` of the preprocessing are needed. The map is stretched to
    pixels bilinearly. The curve is 1 or 0 for "is `target` still the top class" (its mean over images is the
    paper's accuracy), or with `score` "probability" or "logit" that number; `result.watching(score)` shows the same
    run in another one. The areas are trapezoids × 100 over the shares with 0 included.
    Raises ValueError when the map does not fit the images, and for a model without a head.
    Source: Chefer, Gur and Wolf, CVPR 2021, arXiv 2012.09838, section 4.
    """
    check_choice("score", score, SCORES)
    if not shares or list(shares) != sorted(set(shares)) or not 0 < shares[0] <= shares[-1] <= 1:
        raise ValueError(f"shares must be rising numbers in (0, 1], not {shares!r}.")
    channels = pixels.shape[1]
    if len(mean) != channels or len(std) != channels or min(std) <= 0:
        raise ValueError(f"mean and std need {channels} numbers each, the deviations above 0.")
    heatmap, index, photo = _prepare(model, pixels, heatmap, target, batch_size)
    size = pixels.shape[2:]
    large = F.interpolate(precise(heatmap[:, None]), size=size, mode="bilinear", align_corners=False)[:, 0]
    black = torch.tensor([-m / s for m, s in zip(mean, std, strict=True)]).to(pixels)[None, :, None, None]
    x = torch.tensor([0.0, *shares], dtype=torch.float64)
    counts = [round(share * size.numel()) for share in x.tolist()]
    curves = []
    for first in (True, False):  # most, then least relevant first
        rank = ranks(large.flatten(1), descending=first).view_as(large)  # [B H W]

        def remove(i: Tensor, count: int, rank: Tensor = rank) -> Tensor:
            return torch.where((rank[i] < count)[:, None], black, pixels[i])

        curves.append(torch.cat([photo, _watch(model, remove, index, counts[1:], batch_size)], dim=-1))
    by_score = {name: (curves[0][i], curves[1][i]) for i, name in enumerate(SCORES)}
    return Perturbation(by_score, x, index.cpu(), score)


def lerf_morf(result: Perturbation) -> Tensor:
    """Area between the two curves, least relevant first (LeRF) minus most relevant first (MoRF): [B].

    Higher is better; a map without information gives 0 on average. AttnLRP's published areas watch the logit
    (`perturbation(...).watching("logit")`), not the top class.
    Source: Samek et al. 2017, arXiv 1509.06321; as in Achtibat et al. 2024 (AttnLRP), arXiv 2402.05602.
    """
    return trapezoid(result.negative_curve - result.positive_curve, result.shares)
