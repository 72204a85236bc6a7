"""Generic attention explainability of Chefer et al., the rule for self-attention."""

from collections.abc import Sequence

import torch
from torch import Tensor

from visualize.methods.base import Method, Target, attention_gradients, precise
from visualize.tokens import read_out_row, to_grid
from vit.config import ViTConfig
from vit.model import ViT


def relevance_row(attentions: Sequence[Tensor], gradients: Sequence[Tensor], config: ViTConfig) -> Tensor:
    """The read-out row of R, where R ← R + Ā_l R from R = I and Ā_l = mean_h relu(∂y_c/∂A_l ⊙ A_l): [B tokens].

    A row of (I + Ā_last) … (I + Ā_0) needs no matrix products: it is multiplied through from the left.
    """
    batch, _, tokens, _ = attentions[0].shape
    eye = precise(torch.eye(tokens, device=attentions[0].device))
    row = read_out_row(eye, config).expand(batch, 1, -1)  # [B 1 tokens]
    for attention, gradient in zip(reversed(attentions), reversed(gradients), strict=True):
        relevance = precise((gradient * attention).relu().mean(dim=1))  # [B query key]
        row = row + row @ relevance
    return row[:, 0]


def run(model: ViT, pixels: Tensor, target: Target) -> Tensor:
    """R[read-out row, patches] with R ← R + Ā_l R from R = I, layers ascending: [B rows cols].

    Ā_l = mean over heads of relu(∂y_c/∂A_l ⊙ A_l). No row is normalised and no residual share is added. This is the
    rule without relevance propagation (LRP), not the CVPR 2021 method of the same authors.
    Source: Chefer, Gur and Wolf, ICCV 2021, arXiv 2103.15679, equations 5 and 6.
    """
    row = relevance_row(*attention_gradients(model, pixels, target), model.config)
    return to_grid(row, model.patch_embedding.grid_of(pixels), model.config.prefix).to(pixels.dtype)


METHOD = Method(
    name="chefer",
    label="Chefer relevance",
    needs_target=True,
    paper="Chefer, Gur and Wolf, ICCV 2021, arXiv 2103.15679",
    shows="Which patches reach the chosen class through attentions that raise its score, summed over all layers.",
    limits="It does not show evidence against the class, nor what the MLPs contribute.",
    run=run,
    gradient=True,
    contrastive=True,
)
