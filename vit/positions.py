"""Positions: fixed sine-cosine ones, and learned ones on another grid."""

import torch
import torch.nn.functional as F
from torch import Tensor

from vit.config import Interpolation


def sincos_1d(tokens: int | Tensor, width: int) -> Tensor:
    """Sine-cosine positions [tokens width] of Vaswani et al. 2017 (arXiv 1706.03762), section 3.5.

    PE[p, 2i] = sin(p / 10000^(2i/width)), PE[p, 2i+1] = cos(the same). `tokens` is a number of tokens or a tensor
    of their positions; `width` must be even.
    """
    p = torch.arange(tokens, dtype=torch.float64) if isinstance(tokens, int) else tokens.double()
    frequency = 10000.0 ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
    angle = p[:, None] * frequency  # [tokens width/2]
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1).float()


def sincos_2d(grid: tuple[int, int], width: int) -> Tensor:
    """Sine-cosine positions [rows*cols width] in two dimensions, as MAE and MoCo v3 use them (arXiv 2104.02057).

    The first half of the width encodes the column, the second the row, each as all sines and then all cosines.
    `width` must be a multiple of 4.
    """
    rows, cols = grid
    row, col = torch.meshgrid(torch.arange(rows), torch.arange(cols), indexing="ij")
    halves = [sincos_1d(axis.flatten(), width // 2) for axis in (col, row)]  # sine and cosine interleaved
    return torch.cat([part for half in halves for part in (half[:, 0::2], half[:, 1::2])], dim=1)


def resize_positions(
    positions: Tensor, grid: tuple[int, int], to: tuple[int, int], rule: Interpolation = "antialias"
) -> Tensor:
    """Learned positions [rows*cols width] of one grid, resized to another by the rule of the checkpoint's source.

    "antialias": timm and DINOv2 with registers. "bicubic": transformers. "offset": DINO and DINOv2, whose scale has
    0.1 added to the target size. "corners": torchvision (corners aligned). "linear": the original JAX code.
    """
    if grid == to:
        return positions
    x = positions.reshape(1, *grid, -1).permute(0, 3, 1, 2)  # [1 width rows cols]
    if x.dtype in (torch.float16, torch.bfloat16):
        x = x.float()
    if rule == "offset":
        scale = (to[0] + 0.1) / grid[0], (to[1] + 0.1) / grid[1]
        x = F.interpolate(x, scale_factor=scale, mode="bicubic")
    elif rule == "corners":
        x = F.interpolate(x, size=to, mode="bicubic", align_corners=True)
    elif rule == "linear":
        x = F.interpolate(x, size=to, mode="bilinear", align_corners=True)
    else:
        x = F.interpolate(x, size=to, mode="bicubic", antialias=rule == "antialias")
    return x.permute(0, 2, 3, 1).flatten(0, 2).to(positions.dtype)
