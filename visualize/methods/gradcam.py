"""Grad-CAM on a ViT: the features in front of the last attention, weighted by their gradient."""

import torch
from torch import Tensor

from visualize.methods.base import Method, Target, check_layer, logits_of
from visualize.tokens import to_grid
from vit.model import ViT


def run(model: ViT, pixels: Tensor, target: Target, *, layer: int = -1) -> Tensor:
    """relu(Σ_k w_k F_k) with w_k = mean over patches of ∂y_c/∂F_k: [B rows cols].

    F is what the attention of the last block (or of `layer`) reads, after its norm, patches only. At that block's
    *output* the patches' gradient would be zero when the head reads the class token.
    Source: Selvaraju et al. 2017, arXiv 1610.02391, equations 1 and 2, with tokens for positions.
    """
    layer = check_layer(layer, model.config.depth)
    with torch.no_grad():
        output = model.trace(pixels)
    target = target.resolve(logits_of(output))
    x = output.tokens[layer]  # what enters the block
    first, *later = model.blocks[layer:]
    features = first.residual1.norm(x).detach().requires_grad_()  # [B tokens width], a leaf of this call alone
    x = first.residual1.add(x, first.self_attn(features))
    x = first.residual2(x, first.feed_forward)
    for block in later:
        x = block(x)
    (gradient,) = torch.autograd.grad(target.score(model.read_out(x)).sum(), features)
    weights = gradient[:, output.prefix :].mean(dim=1, keepdim=True)  # [B 1 width]
    return to_grid((features.detach() * weights).sum(dim=-1).relu(), output.grid, output.prefix)


METHOD = Method(
    name="gradcam",
    label="Grad-CAM",
    needs_target=True,
    paper="Selvaraju et al. 2017, arXiv 1610.02391",
    shows="Which patches hold the features that, on average over the photo, raise the score of the chosen class.",
    limits="It does not show what earlier layers did, and it was made for convolutions: on tokens it is often noisy.",
    run=run,
    gradient=True,
    contrastive=True,
)
