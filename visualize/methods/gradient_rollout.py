"""Gradient rollout: rollout of attention that is weighted by how much the class depends on it."""

from collections import deque

from torch import Tensor

from visualize.methods.base import Method, Target, attention_gradients, check_layer, check_number, precise
from visualize.methods.rollout import rollout_layers
from visualize.tokens import read_out_row, to_grid
from vit.model import ViT


def run(
    model: ViT,
    pixels: Tensor,
    target: Target,
    *,
    discard: float = 0.0,
    residual: float = 0.5,
    start_layer: int = 0,
) -> Tensor:
    """Rollout of F_l = mean over heads of relu(A_l ⊙ ∂y_c/∂A_l), both of the same layer: [B rows cols].

    `discard`, `residual` and `start_layer` as in `rollout`. Source: the idea is vit-explain's (2021), which pairs
    the gradients with the wrong layers; here layer l meets layer l.
    """
    start = check_layer(start_layer, model.config.depth, "start_layer")
    check_number("discard", discard, 0, 1, closed=False)
    check_number("residual", residual, 0, 1)
    attentions, gradients = attention_gradients(model, pixels, target)
    # Double precision: gradients are small beside the identity that the residual adds.
    layers = [precise((a * g).relu().mean(dim=1)) for a, g in zip(attentions[start:], gradients[start:], strict=True)]
    steps = rollout_layers(layers, discard=discard, residual=residual, prefix=model.config.prefix)
    row = read_out_row(deque(steps, maxlen=1)[0], model.config)
    return to_grid(row, model.patch_embedding.grid_of(pixels), model.config.prefix).to(pixels.dtype)


METHOD = Method(
    name="gradient_rollout",
    label="Gradient rollout",
    needs_target=True,
    paper="after Abnar and Zuidema 2020, arXiv 2005.00928; vit-explain, 2021",
    shows="Rollout along only those attentions that raise the score of the chosen class.",
    limits="It does not show evidence against the class, and gradients say nothing about large changes of the photo.",
    run=run,
    gradient=True,
    contrastive=True,
)
