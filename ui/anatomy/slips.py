"""The annotated text's slips, done on purpose with the real weights, to show what each does to the prediction.

Everything wrong lives here; `vit` has the right versions. Knows nothing of Gradio.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ui.engine import MODELS, on_gpu
from vit import Preprocess, TransformerEncoderBlock, ViT


def scramble(pixels: Tensor, patch_size: int) -> Tensor:
    """WRONG: patches by a reshape alone. [B C H W] to [B patches C*P*P], the right shape with the wrong numbers."""
    B, C, H, W = pixels.shape
    P = patch_size
    x = pixels.reshape(B, C, H // P, P, W // P, P)  # the right axes, but they stay where they are
    return x.reshape(B, (H // P) * (W // P), C * P * P)


def as_photo(patches: Tensor, patch_size: int, grid: tuple[int, int]) -> Tensor:
    """The photo [B C H W] whose true patches are these [B patches C*P*P]: what the model is really shown."""
    (rows, cols), P = grid, patch_size
    x = patches.reshape(len(patches), rows, cols, -1, P, P)  # [B rows cols C P P]
    return x.permute(0, 3, 1, 4, 2, 5).reshape(len(patches), -1, rows * P, cols * P)


def across_the_batch(block: TransformerEncoderBlock, x: Tensor) -> Tensor:
    """WRONG: tokens [B N D] handed to an attention that takes the first axis for the sequence.

    Each token then asks the tokens at the same place of the other photos, and none of its own photo.
    """
    return block(x.transpose(0, 1)).transpose(0, 1)


def norm_thrown_away(block: TransformerEncoderBlock, x: Tensor) -> Tensor:
    """WRONG: both sublayers see the raw tokens; what the norm computes is never used."""
    x = block.residual1.add(x, block.self_attn(x))
    return block.residual2.add(x, block.feed_forward(x))


def head_on_every_token(model: ViT, tokens: Tensor) -> Tensor:
    """WRONG as an answer: logits for every token, [B N D] to [B N classes]. Which of the N is the photo's?"""
    return model.classification_head(tokens)


def squashed(image: Image.Image, height: int, width: int) -> Tensor:
    """WRONG: both sides forced to the model's size, numbers left between 0 and 1. [1 3 H W]."""
    small = image.convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(small)).permute(2, 0, 1)[None].float() / 255


@dataclass
class Slips:
    """What the slips do to one photo, as CPU data. `logits` [classes], keyed by variant; empty without a head."""

    scrambled: NDArray[np.float32]  # [C H W], normalised as the model sees it
    logits: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    likeness: dict[str, float] = field(default_factory=dict)  # mean cosine of the last patch tokens with the right ones
    norms: dict[str, list[float]] = field(default_factory=dict)  # mean token norm after each layer
    every: dict[str, NDArray[np.float32]] = field(default_factory=dict)  # [N classes], where single tokens have logits
    neighbour_effect: dict[str, float] = field(default_factory=dict)  # "right", "wrong": see `slip`


def run_wrong(model: ViT, x: Tensor, step) -> list[Tensor]:
    """All blocks replaced by `step(block, x)`: the tokens [B N D] before the first and after each."""
    tokens = [x]
    for block in model.blocks:
        tokens.append(step(block, tokens[-1]))
    return tokens


@on_gpu
def slip(
    name: str,
    pixels: Tensor,
    neighbours: Tensor,
    careless: dict[str, Tensor],
    device: str = "cpu",
) -> Slips:
    """Every slip on the photo `pixels` [1 3 H W].

    `neighbours` [2 3 H W] take turns beside it in a batch of two; `careless` are the photo's pixels prepared wrongly.
    Their effect is the largest change, between the two, of a logit of any of the photo's tokens, the head being on
    every token as in the text; of a number of its last tokens where single tokens have no logits.
    Takes and returns CPU data.
    """
    model = MODELS.get(name).model.to(device)
    c, pixels, neighbours = model.config, pixels.to(device), neighbours.to(device)
    grid = model.patch_embedding.grid_of(pixels)
    scrambled = as_photo(scramble(pixels, c.patch_size), c.patch_size, grid)
    result = Slips(scrambled[0].float().cpu().numpy())
    single = c.classes > 0 and c.readout != "class_mean"  # whether the head can read one token

    def keep(variant: str, last: Tensor, right: Tensor) -> None:
        """`last`: the photo's tokens [1 N D] after the last block."""
        a, b = last[0, c.prefix :], right[0, c.prefix :]
        result.likeness[variant] = float(torch.cosine_similarity(a, b, dim=-1).mean())
        if c.classes:
            result.logits[variant] = model.read_out(last)[0].float().cpu().numpy()
        if single and (variant == "right" or variant.startswith("batch")):
            result.every[variant] = head_on_every_token(model, last)[0].float().cpu().numpy()

    def norms(tokens: list[Tensor]) -> list[float]:
        return [float(x[0].norm(dim=-1).mean()) for x in tokens]

    with torch.no_grad():
        output = model.trace(pixels)
        right = output.tokens[-1]
        keep("right", right, right)
        result.norms["right"] = norms(list(output.tokens))

        keep("scramble", _last(model, scrambled), right)

        ends, ours = [], []
        for i, neighbour in enumerate(neighbours.split(1)):
            both = torch.cat([pixels, neighbour])
            ends.append(run_wrong(model, model.embed(both), across_the_batch)[-1][:1])
            ours.append(_last(model, both)[:1])
            keep(f"batch{i}", ends[-1], right)
        keep("batch_alone", run_wrong(model, model.embed(pixels), across_the_batch)[-1], right)
        for who, pair in (("wrong", ends), ("right", ours)):
            one, other = (head_on_every_token(model, x) if single else x for x in pair)
            result.neighbour_effect[who] = float((one - other).abs().max())

        raw = run_wrong(model, model.embed(pixels), norm_thrown_away)
        keep("norm", raw[-1], right)
        result.norms["norm"] = norms(raw)

        for variant, wrong in careless.items():
            keep(variant, _last(model, wrong.to(device)), right)
    return result


def _last(model: ViT, pixels: Tensor) -> Tensor:
    """The tokens [B N D] after the last block."""
    x = model.embed(pixels)
    for block in model.blocks:
        x = block(x)
    return x


def careless_ways(image: Image.Image, preprocess: Preprocess) -> dict[str, Tensor]:
    """The photo prepared carelessly: squashed, not normalised, and both as in the annotated text. Each [1 3 H W]."""
    height, width = preprocess.height_width
    both = squashed(image, height, width)
    mean, std = (torch.tensor(v)[None, :, None, None] for v in (preprocess.mean, preprocess.std))
    plain = preprocess(image).pixels * std + mean
    return {"squash": both, "squash_normalised": (both - mean) / std, "unnormalised": plain}
