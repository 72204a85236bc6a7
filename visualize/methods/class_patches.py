"""What each patch says by itself: the head applied to every patch token."""

import torch
from torch import Tensor

from visualize.methods.base import Method, Target, check_layer, logits_of
from visualize.tokens import to_grid
from vit.model import ViT


def run(model: ViT, pixels: Tensor, target: Target, *, layer: int = -1) -> Tensor:
    """softmax(head(norm(x_l[:, j])))[c] for each patch j behind layer l: probabilities [B rows cols].

    With a rival class, the difference of the two probabilities, from −1 to 1.

    This is what the annotated text's [1, 197, 1000] output shows. Raises ValueError for a head that reads class token
    and mean together: single tokens have no logits there.
    Source: nostalgebraist 2020, "interpreting GPT: the logit lens", applied to the patches.
    """
    layer = check_layer(layer, model.config.depth)
    if model.config.readout == "class_mean":
        raise ValueError(
            "This head reads the class token and the patches' mean together: single patches have no class of their own."
        )
    output = model.trace(pixels)
    target = target.resolve(logits_of(output))
    probabilities = model.classification_head(output.tokens[layer + 1]).softmax(dim=-1)  # [B tokens classes]
    shares = torch.stack([target.of_image(i).score(each) for i, each in enumerate(probabilities)])  # [B tokens]
    return to_grid(shares, output.grid, output.prefix)


METHOD = Method(
    name="class_patches",
    label="Class map per patch",
    needs_target=True,
    paper="nostalgebraist 2020, the logit lens; head of Dosovitskiy et al. 2021, arXiv 2010.11929",
    shows="How probable the chosen class is when the head reads one patch alone.",
    limits="It does not show what the model used: the head was never trained on patches, and each has seen the others.",
    run=run,
    contrastive=True,
)
