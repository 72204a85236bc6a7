"""Explanations: one file each, one signature, one line in the registry below."""

import torch
from torch import Tensor

from visualize.methods import (
    attention,
    attention_flow,
    centre,
    chefer,
    class_patches,
    gradcam,
    gradient_rollout,
    integrated_gradients,
    legrad,
    lrp,
    occlusion,
    random,
    rollout,
    smoothgrad,
)
from visualize.methods.base import ClassIndex, Method, Target, classes_of
from vit.model import ViT

METHODS: dict[str, Method] = {
    "attention": attention.METHOD,
    "rollout": rollout.METHOD,
    "attention_flow": attention_flow.METHOD,
    "gradient_rollout": gradient_rollout.METHOD,
    "chefer": chefer.METHOD,
    "legrad": legrad.METHOD,
    "gradcam": gradcam.METHOD,
    "lrp": lrp.METHOD,
    "class_patches": class_patches.METHOD,
    "integrated_gradients": integrated_gradients.METHOD,
    "smoothgrad": smoothgrad.METHOD,
    "occlusion": occlusion.METHOD,
    "random": random.METHOD,
    "centre": centre.METHOD,
}


def explain(model: ViT, pixels: Tensor, method: str, target: ClassIndex = None, **options: object) -> Tensor:
    """The map of one method for images [B C H W]: raw values [B rows cols], larger is more.

    `method` is a name in `METHODS`. `target` is a class index, a tensor [B] of them, or None for the prediction;
    methods that explain no class ignore it. `options` are the method's own (`METHODS[method].options`); those with
    `METHODS[method].contrastive` also take `contrast`, a rival class (index or tensor): y_target − y_contrast.

    The model and its parameters' `.grad` stay as they are; the caller's grad mode does not matter.
    Raises ValueError for an unknown method, option or value, for pixels that do not fit the model, and for a method
    that needs a class when the model has no head.
    """
    if method not in METHODS:
        raise ValueError(f"There is no method {method!r}; there are {', '.join(METHODS)}.")
    chosen, config = METHODS[method], model.config
    allowed = [*chosen.options, *(["contrast"] if chosen.contrastive else [])]
    unknown = [name for name in options if name not in allowed]
    if unknown:
        have = f"its options are {', '.join(allowed)}" if allowed else "it has no options"
        raise ValueError(f"{method} has no option {unknown[0]!r}; {have}.")
    if chosen.needs_target and not config.classes:
        raise ValueError(f"{chosen.label} explains a class, and this model has no classification head.")
    if model.training and config.dropout:
        raise ValueError("This model is in training mode, where dropout makes every map differ: call model.eval().")
    model.patch_embedding.grid_of(pixels)  # refuses pixels of another shape before any work
    # Leaving inference mode is what makes gradients possible; a tensor made inside it must be copied first.
    with torch.inference_mode(False), torch.set_grad_enabled(chosen.gradient):
        wanted = Target()
        if chosen.needs_target:
            contrast: ClassIndex = options.pop("contrast", None)  # type: ignore[assignment]
            wanted = Target(
                classes_of(target, len(pixels), config.classes),
                classes_of(contrast, len(pixels), config.classes, "contrast"),
            )
        return chosen.run(model, pixels.clone().detach(), wanted, **options).detach()


__all__ = ["METHODS", "ClassIndex", "Method", "Target", "explain"]
