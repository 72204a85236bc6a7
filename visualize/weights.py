"""What the weights alone show: filters of the patch embedding, likeness of positions, norms by layer."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from visualize.tokens import Grid
from vit.model import ViT


@dataclass(frozen=True, eq=False)
class PatchFilters:
    """Principal components of the patch embedding's filters. The filters are mean + scores · components."""

    components: Tensor  # [components channels patch patch], orthonormal, most variance first
    scores: Tensor  # [width components], how much of each component a filter holds
    mean: Tensor  # [channels patch patch], mean of all filters
    shares: Tensor  # [components], share of the filters' variance; they sum to 1 when all components are kept

    def rebuilt(self) -> Tensor:
        """The filters from the kept components, [width channels patch patch]: exact when all are kept."""
        return self.mean + torch.einsum("wn,ncij->wcij", self.scores, self.components)


@torch.no_grad()
def patch_filters(model: ViT, count: int | None = 28) -> PatchFilters:
    """The first principal components of the patch embedding's filters; None keeps all of them.

    The sign of a component is free: here its largest number is positive. No unit. Raises ValueError for a count < 1.
    Source: Dosovitskiy et al. 2021, arXiv 2010.11929, figure 7 (left), which shows 28.
    """
    if count is not None and count < 1:
        raise ValueError(f"count must be at least 1, not {count}.")
    weight = model.patch_embedding.projection.weight.detach().float()  # [D C P P]
    flat = weight.flatten(1)
    mean = flat.mean(dim=0)
    left, values, right = torch.linalg.svd(flat - mean, full_matrices=False)
    largest = right.gather(1, right.abs().argmax(dim=1, keepdim=True))
    sign = torch.where(largest < 0, -1.0, 1.0)  # [components 1]
    right, scores = right * sign, left * values * sign.T
    power = values.square()
    n = len(values) if count is None else min(count, len(values))
    shape = weight.shape[1:]
    return PatchFilters(
        right[:n].reshape(-1, *shape), scores[:, :n], mean.reshape(shape), (power / power.sum().clamp_min(1e-30))[:n]
    )


@torch.no_grad()
def position_similarity(model: ViT, grid: Grid | None = None) -> Tensor:
    """Cosine of each patch's position with that of every other patch: [rows cols rows cols], −1 … 1.

    `grid` defaults to the model's own. Learned and fixed positions alike; prefix tokens are left out.
    Source: Dosovitskiy et al. 2021, arXiv 2010.11929, figure 7 (centre).
    """
    rows, cols = model.config.grid if grid is None else grid
    positions = model.patch_embedding.positions_for((rows, cols)).detach().float()[model.config.prefix :]
    unit = F.normalize(positions, dim=-1)
    return (unit @ unit.T).reshape(rows, cols, rows, cols)


@torch.no_grad()
def weight_norms(model: ViT) -> dict[str, Tensor]:
    """Root mean square of the weights of each part, layer by layer: name to [depth]. Biases are left out.

    Parts: query, key, value, projection (attention's output), and the MLP's two linear maps. No unit.
    """
    c = model.config
    rows: dict[str, list[Tensor]] = {n: [] for n in ("query", "key", "value", "projection", "MLP in", "MLP out")}
    for block in model.blocks:
        parts = [
            *block.self_attn.qkv.weight.split(c.width),
            block.self_attn.proj.weight,
            block.feed_forward.fc1.weight,
            block.feed_forward.fc2.weight,
        ]
        for values, weight in zip(rows.values(), parts, strict=True):
            values.append(weight.detach().float().square().mean().sqrt())
    return {name: torch.stack(values) for name, values in rows.items()}
