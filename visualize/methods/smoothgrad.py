"""SmoothGrad: the gradient of the pixels, averaged over noisy copies of the photo."""

from collections.abc import Iterator

import torch
from torch import Tensor

from visualize.methods.base import Method, Target, check_number, check_whole
from visualize.methods.pixel_gradients import mean_gradient
from visualize.tokens import sum_patches
from vit.model import ViT


def run(model: ViT, pixels: Tensor, target: Target, *, samples: int = 16, noise: float = 0.15, seed: int = 0) -> Tensor:
    """Mean over a patch's numbers of |mean over samples of ∂y_c/∂x at x + ε|: [B rows cols].

    ε is Gaussian, its σ `noise` times the range of the image's values; the same draw serves every image of a batch.
    Source: Smilkov et al. 2017, arXiv 1706.03825, section 3; absolute values as in section 3.1.
    """
    check_whole("samples", samples, 1, 10_000)
    check_number("noise", noise, 0, 10)
    generator = torch.Generator().manual_seed(check_whole("seed", seed, 0, 2**63 - 1))
    target = target.resolve(model(pixels))
    sigma = noise * (pixels.amax(dim=(1, 2, 3), keepdim=True) - pixels.amin(dim=(1, 2, 3), keepdim=True))

    def noisy() -> Iterator[Tensor]:
        for _ in range(samples):
            draw = torch.randn(pixels.shape[1:], generator=generator, dtype=torch.float64)
            yield pixels + sigma * draw.to(pixels.dtype).to(pixels.device)

    gradient = mean_gradient(model, noisy(), target).abs().mean(dim=1)  # [B H W]
    return sum_patches(gradient, model.patch_embedding.grid_of(pixels)) / model.config.patch_size**2


METHOD = Method(
    name="smoothgrad",
    label="SmoothGrad",
    needs_target=True,
    paper="Smilkov et al. 2017, arXiv 1706.03825",
    shows="Where small changes of the pixels would change the score of the chosen class most, up or down.",
    limits="It does not show whether a patch speaks for or against the class, nor what it contributes as a whole.",
    run=run,
    gradient=True,
    contrastive=True,
    slow=True,
)
