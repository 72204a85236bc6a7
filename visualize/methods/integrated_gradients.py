"""Integrated gradients: the class's score, divided among the patches without remainder."""

from torch import Tensor

from visualize.methods.base import Method, Target, check_whole
from visualize.methods.pixel_gradients import baseline_like, mean_gradient
from visualize.tokens import sum_patches
from vit.model import ViT


def run(model: ViT, pixels: Tensor, target: Target, *, steps: int = 32, baseline: str = "mean") -> Tensor:
    """Σ over a patch of (x − x') · mean over α of ∂y_c/∂x at x' + α (x − x'): signed values [B rows cols].

    x' is `baseline`: "mean" (the image's own mean colour) or "zero" (0 after normalisation); α takes the middles
    of `steps` equal parts of 0 … 1. Completeness: the map sums to y_c(x) − y_c(x'), up to the step size.
    Source: Sundararajan, Taly and Yan 2017, arXiv 1703.01365, equations 1 and 3.
    """
    check_whole("steps", steps, 1, 10_000)
    start = baseline_like(pixels, baseline)
    target = target.resolve(model(pixels))
    path = (start + (k + 0.5) / steps * (pixels - start) for k in range(steps))
    attribution = (pixels - start) * mean_gradient(model, path, target)  # [B C H W]
    return sum_patches(attribution.sum(dim=1), model.patch_embedding.grid_of(pixels))


METHOD = Method(
    name="integrated_gradients",
    label="Integrated gradients",
    needs_target=True,
    paper="Sundararajan, Taly and Yan 2017, arXiv 1703.01365",
    shows="How much of the chosen class's score each patch accounts for, against a photo of one plain colour.",
    limits="It does not show what patches do together, and another plain photo to start from gives another map.",
    run=run,
    gradient=True,
    contrastive=True,
    slow=True,
)
