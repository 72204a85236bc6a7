"""LeGrad: how sensitive the class is to the attention of each layer, read off right behind that layer."""

import torch
from torch import Tensor

from visualize.methods.base import Method, Target, check_layer, logits_of
from visualize.tokens import to_grid
from vit.model import ViT


def layer_score(model: ViT, tokens: Tensor, target: Target) -> Tensor:
    """s_l: the score of the class when the head reads the mean of all tokens [B tokens width] of a layer: [B]."""
    head, z = model.classification_head, tokens.mean(dim=1)  # [B width]
    if model.config.readout == "class_mean":  # its head reads two tokens side by side: both are this mean
        z = head.norm(z)
        return target.score(head.classify(torch.cat([z, z], dim=-1)))
    return target.score(head(z))


def run(model: ViT, pixels: Tensor, target: Target, *, start_layer: int = 0) -> Tensor:
    """Mean over layers of E_l = mean over heads and queries of relu(∂s_l/∂A_l), patch columns: [B rows cols].

    s_l is the class's logit when the head reads the mean of all tokens behind layer l. The attention itself is not
    multiplied in. `start_layer` leaves out the layers before it. One short backward pass through one block per layer.
    Source: Bousselham et al., "LeGrad", ICCV 2025, arXiv 2404.03214, section 3.
    """
    start = check_layer(start_layer, model.config.depth, "start_layer")
    output = model.trace(pixels)
    target = target.resolve(logits_of(output))  # the prediction of the whole model, not of each layer
    maps = []
    for attention, tokens in list(zip(output.attentions, output.tokens[1:], strict=True))[start:]:
        (gradient,) = torch.autograd.grad(layer_score(model, tokens, target).sum(), attention)
        maps.append(gradient.relu().mean(dim=(1, 2)))  # [B key]
    return to_grid(torch.stack(maps).mean(dim=0), output.grid, output.prefix)


METHOD = Method(
    name="legrad",
    label="LeGrad",
    needs_target=True,
    paper="Bousselham et al., ICCV 2025, arXiv 2404.03214",
    shows="Which patches would raise the chosen class if they received more attention, averaged over the layers.",
    limits="It does not show how much attention they really received, nor evidence against the class.",
    run=run,
    gradient=True,
    contrastive=True,
)
