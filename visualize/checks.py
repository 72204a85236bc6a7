"""Can a map be believed at all? Does it depend on the model, does it survive a flip, do two methods agree?

All three compare maps by rank, so the scale and the sign convention of a method's values play no part.
"""

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from visualize.methods import METHODS, explain
from visualize.methods.base import ClassIndex, check_whole, classes_of
from vit.model import ResidualConnection, ViT


def average_ranks(values: Tensor) -> Tensor:
    """Rank of each entry from 0, smallest first; equal values share the mean of their ranks: [B entries]."""
    rows = []
    for row in values:
        _, which, counts = row.unique(return_inverse=True, return_counts=True)
        last = counts.cumsum(0).double() - 1  # the highest rank among equal values
        rows.append((last - (counts - 1) / 2)[which])
    return torch.stack(rows)


def rank_correlation(a: Tensor, b: Tensor) -> Tensor:
    """Spearman's ρ of two batches of maps [B rows cols] (or two maps [rows cols]): [B], each in −1 … 1.

    1: the same order; 0: no relation; −1: the opposite order. Equal values share their mean rank. A map whose values
    are all equal orders nothing: 0. Raises ValueError for maps of different shapes and for values that are not finite.
    Source: Spearman 1904, "The Proof and Measurement of Association between Two Things".
    """
    if a.shape != b.shape or a.ndim not in (2, 3) or a.numel() == 0:
        raise ValueError(f"Expected two batches of maps [B rows cols] of one shape, got {[*a.shape]} and {[*b.shape]}.")
    if not (a.isfinite().all() and b.isfinite().all()):
        raise ValueError("A map holds values that are not finite numbers (NaN or infinite).")
    shape = (1, -1) if a.ndim == 2 else (len(a), -1)
    first, second = (average_ranks(x.detach().cpu().reshape(shape)) for x in (a, b))
    first, second = first - first.mean(1, keepdim=True), second - second.mean(1, keepdim=True)
    scale = (first.square().sum(1) * second.square().sum(1)).sqrt()
    together = (first * second).sum(1)
    return torch.where(scale > 0, together / scale.where(scale > 0, torch.ones_like(scale)), torch.zeros_like(scale))


def agreement(maps: Mapping[str, Tensor]) -> Tensor:
    """How far methods agree: ρ of each pair of maps [B rows cols], averaged over the batch: [methods methods].

    Rows and columns follow the order of `maps`; the diagonal is 1 (0 for a map without any order).
    Source: the question is that of Krishna et al. 2022, arXiv 2202.01602; ranks of all patches, not of the top few.
    """
    if not maps:
        raise ValueError("Agreement needs at least one map.")
    values = list(maps.values())
    return torch.stack([torch.stack([rank_correlation(a, b).mean() for b in values]) for a in values])


def randomised(model: ViT, blocks: int, seed: int = 0) -> ViT:
    """A copy whose head and top `blocks` blocks start over as in a new model; the given model is not touched.

    Matrices are drawn from a normal distribution of deviation 0.02 cut at ±2, biases are 0, norms 1, a layer scale
    its starting value.
    """
    check_whole("blocks", blocks, 1, model.config.depth)
    generator = torch.Generator().manual_seed(check_whole("seed", seed, 0, 2**63 - 1))
    fresh = copy.deepcopy(model)
    with torch.no_grad():
        for part in (fresh.classification_head, *fresh.blocks[-blocks:]):
            for module in part.modules():
                if isinstance(module, nn.Linear):
                    drawn = nn.init.trunc_normal_(torch.empty(module.weight.shape), std=0.02, generator=generator)
                    module.weight.copy_(drawn)
                    if module.bias is not None:
                        module.bias.zero_()
                elif isinstance(module, nn.LayerNorm):
                    module.reset_parameters()
                elif isinstance(module, ResidualConnection) and module.scale is not None:
                    module.scale.fill_(model.config.layer_scale or 1.0)
    return fresh


def model_dependence(
    model: ViT,
    pixels: Tensor,
    method: str,
    target: ClassIndex = None,
    *,
    blocks: int | None = None,
    seed: int = 0,
    **options: object,
) -> Tensor:
    """ρ between a map and the map of the same method when the top of the model has forgotten everything: [B].

    Near 0: the map depends on what the model learned. Near 1: it would look the same whatever those layers hold, so it
    explains at most the layers below them. `blocks` top blocks and the head are drawn anew (half of the blocks if
    None); the class stays that of the trained model. `options` are the method's own.
    Source: Adebayo et al. 2018, "Sanity Checks for Saliency Maps", arXiv 1810.03292, section 3.
    """
    target = _fixed(model, pixels, method, target)
    half = max(1, model.config.depth // 2)
    fresh = randomised(model, half if blocks is None else blocks, seed)
    trained = explain(model, pixels, method, target, **options)
    return rank_correlation(trained, explain(fresh, pixels, method, target, **options))


def stability(model: ViT, pixels: Tensor, method: str, target: ClassIndex = None, **options: object) -> Tensor:
    """Does the map move with the photo? Mean ρ over a mirrored photo and two photos moved by one patch: [B].

    Each map is moved back before it is compared; of a moved photo (one patch to the right, one patch down, the border
    repeated) only patches in both count. 1: the map goes along exactly. The class stays that of the photo as it is.
    A blob in the middle scores high here and knows nothing: stability is needed, not enough.
    Raises ValueError for a method that is asked about one patch, which would not move along.
    Source: explanation equivariance, Crabbé and van der Schaar 2023, arXiv 2304.06715.
    """
    if options.get("query") not in (None, "class"):
        raise ValueError("Stability moves the photo; ask it about the class token's map, not about one patch's.")
    target = _fixed(model, pixels, method, target)
    heatmap = explain(model, pixels, method, target, **options)
    side = model.config.patch_size
    mirrored = explain(model, pixels.flip(3), method, target, **options).flip(2)
    scores = [rank_correlation(heatmap, mirrored)]
    if heatmap.shape[2] > 1:
        right = torch.cat([pixels[..., :1].expand(-1, -1, -1, side), pixels[..., :-side]], dim=3)
        moved = explain(model, right, method, target, **options)
        scores.append(rank_correlation(heatmap[:, :, :-1], moved[:, :, 1:]))
    if heatmap.shape[1] > 1:
        down = torch.cat([pixels[:, :, :1].expand(-1, -1, side, -1), pixels[:, :, :-side]], dim=2)
        moved = explain(model, down, method, target, **options)
        scores.append(rank_correlation(heatmap[:, :-1], moved[:, 1:]))
    return torch.stack(scores).mean(0)


def _fixed(model: ViT, pixels: Tensor, method: str, target: ClassIndex) -> ClassIndex:
    """The class to explain, the prediction filled in; None for a method that explains no class."""
    if method not in METHODS or not METHODS[method].needs_target or not model.config.classes:
        return None  # `explain` says what is wrong, if anything is
    if target is not None:
        return classes_of(target, len(pixels), model.config.classes)
    with torch.no_grad():
        return model(pixels).argmax(-1)
