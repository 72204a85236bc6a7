"""Numbers about attention and tokens: how far heads look, how sharply, at what. One value per head unless said.

Attention is [B head query key] after softmax. Patches follow `prefix` tokens, in reading order on `grid`.
"""

from functools import lru_cache

import torch
from torch import Tensor

from visualize.tokens import Grid


@lru_cache(maxsize=32)
def patch_distances(grid: Grid, patch: int = 1) -> Tensor:
    """‖p_i − p_j‖ between the centres of all patches, in pixels for patches of `patch` pixels: [patches patches]."""
    rows, cols = grid
    with torch.inference_mode(False):  # the table is kept, also for callers who need gradients
        points = torch.cartesian_prod(torch.arange(rows), torch.arange(cols)).double() * patch
        return torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist").float()


def patches_only(attention: Tensor, grid: Grid, prefix: int) -> Tensor:
    """What patches give to patches: [B head patches patches]. Raises ValueError when the tokens do not fit."""
    tokens = prefix + grid[0] * grid[1]
    if attention.ndim != 4 or attention.shape[2:] != (tokens, tokens):
        raise ValueError(
            f"Expected attention [B head {tokens} {tokens}] for {prefix} prefix tokens and a grid of "
            f"{grid[0]} × {grid[1]}, got {list(attention.shape)}."
        )
    return attention[:, :, prefix:, prefix:]


def attention_distance(attention: Tensor, grid: Grid, patch: int, prefix: int = 1) -> Tensor:
    """Mean attention distance in pixels: mean over query patches of Σ_j w_ij ‖p_i − p_j‖. [B head].

    The weights w are renormalised over patches; without that, mass on prefix tokens would shorten every distance. A
    query that gives nothing at all to patches counts as 0. Source: Dosovitskiy et al. 2021, arXiv 2010.11929,
    figure 7 (right) and figure 11.
    """
    weights = patches_only(attention, grid, prefix)
    distance = patch_distances(tuple(grid), patch).to(weights)
    far = torch.einsum("bhqk,qk->bhq", weights, distance)
    mass = weights.sum(dim=-1)
    return torch.where(mass > 0, far / mass.where(mass > 0, torch.ones_like(mass)), torch.zeros_like(far)).mean(dim=-1)


def attention_entropy(attention: Tensor) -> Tensor:
    """Mean over queries of −Σ A log A / log N: 1 is uniform, 0 is a single token. [B head]; no unit."""
    tokens = attention.shape[-1]
    if tokens < 2:
        return torch.zeros_like(attention[..., 0, 0])
    # Below 1e-30 a share adds nothing, and the logarithm of nearly denormal numbers is slow. 0 · log 0 counts as 0.
    # Everything in one block of memory: fetching more of it from the system takes longer than the logarithms.
    products = attention.clamp_min(max(torch.finfo(attention.dtype).tiny, 1e-30)).log_().mul_(attention)
    nats = -products.sum(dim=-1).mean(dim=-1)
    return nats / torch.log(torch.tensor(float(tokens))).item()


def locality(attention: Tensor, grid: Grid, prefix: int = 1) -> Tensor:
    """Share of a patch's attention that stays on itself and its (up to) 8 neighbours, mean over patches. [B head].

    Identity attention has locality 1. Attention on prefix tokens counts as elsewhere.
    """
    near = patch_distances(tuple(grid)) < 1.5  # a diagonal neighbour is √2 away
    weights = patches_only(attention, grid, prefix)
    return torch.einsum("bhqk,qk->bhq", weights, near.to(weights)).mean(dim=-1)


def self_attention(attention: Tensor, prefix: int = 1) -> Tensor:
    """Share of a patch's attention on itself, mean over patches: [B head]."""
    return attention.diagonal(dim1=-2, dim2=-1)[..., prefix:].mean(dim=-1)


def prefix_attention(attention: Tensor, prefix: int = 1) -> Tensor:
    """Share of the patches' attention that each prefix token receives: [B head prefix]; their sum is the whole share.

    The order is class token, distillation token, registers, as far as the model has them.
    """
    return attention[:, :, prefix:, :prefix].mean(dim=2)


def sink_tokens(attention: Tensor, share: float = 0.01) -> Tensor:
    """The tokens that receive most, at least one and `share` of all: numbers [B head tokens], most first."""
    if not 0 < share <= 1:
        raise ValueError(f"share must lie in (0, 1], not {share!r}.")
    received = attention.mean(dim=2)
    count = max(1, round(share * received.shape[-1]))
    return received.argsort(dim=-1, descending=True, stable=True)[..., :count]


def sink_share(attention: Tensor, share: float = 0.01) -> Tensor:
    """Share of all attention mass that the most attended tokens (top 1 %, at least one) receive: [B head].

    Prefix tokens are tokens like others here. Uniform attention gives their share of the tokens.
    Source: Darcet et al. 2024, "Vision Transformers Need Registers", arXiv 2309.16588, for the phenomenon.
    """
    return attention.mean(dim=2).gather(-1, sink_tokens(attention, share)).sum(dim=-1)


def token_norms(tokens: Tensor) -> Tensor:
    """Norm of each token [B token width] over the median norm of its image: [B token]; 1 is ordinary.

    Tokens of several times the median are the artefacts that Darcet et al. 2024 (arXiv 2309.16588) describe.
    """
    norms = (tokens.float() if tokens.element_size() < 4 else tokens).norm(dim=-1)
    return norms / norms.quantile(0.5, dim=-1, keepdim=True)
