"""The numbers of each step, from the model's own forward pass: `trace`, and one block's own methods called again.

Nothing of the model is written a second time here. Knows nothing of Gradio.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ui.anatomy.pack import Arrays, sheet
from ui.engine import MODELS, on_gpu
from vit import Preprocess, TransformerEncoderBlock, ViT, ViTOutput, patchify
from vit.positions import sincos_1d, sincos_2d

FILTERS = 24  # of the projection's, shown as small pictures
STRONGEST = 6  # keys whose values are shown in full


@dataclass(frozen=True)
class Choice:
    """Which block is opened, which of its heads, and whose token is followed; all count from 0."""

    layer: int
    head: int
    query: int  # a token: prefix first, then patches in reading order

    @classmethod
    def within(cls, wanted: dict, config, grid: tuple[int, int]) -> "Choice":
        """The nearest choice that this model and grid have to `wanted` (layer, head, query).

        What is missing or not a number from 0 falls back: to the last layer, the first head, the patch in the middle.
        """

        def number(name: str, count: int, otherwise: int) -> int:
            value = wanted.get(name)
            return min(value, count - 1) if type(value) is int and value >= 0 else otherwise

        middle = config.prefix + grid[0] // 2 * grid[1] + grid[1] // 2
        tokens = config.prefix + grid[0] * grid[1]
        return cls(
            number("layer", config.depth, config.depth - 1),
            number("head", config.heads, 0),
            number("query", tokens, middle),
        )


@dataclass
class Anatomy:
    """What one call gives back, as CPU data. `shapes` are those of the real tensors, batch axis included."""

    still: Arrays = field(default_factory=dict)  # what depends on the photo alone
    layer: Arrays = field(default_factory=dict)  # what depends on the layer: pictures of its tensors
    choice: Arrays = field(default_factory=dict)  # what depends on layer, head and query
    shapes: dict[str, list[int]] = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)  # single numbers that the words mention
    logits: NDArray[np.float32] | None = None  # [classes], None without a head


def open_block(block: TransformerEncoderBlock, x: Tensor, attention: Tensor) -> dict[str, Tensor]:
    """Every intermediate result of one block for the tokens x [B N D] that entered it, in reading order.

    `attention` [B h N N] is what `trace` returned for this block.
    """
    attend, mlp = block.self_attn, block.feed_forward
    normed = block.residual1.norm(x)
    q, k, v = attend.queries_keys_values(normed)
    mixed = attention @ v  # [B h N d]
    update = attend.join(mixed)
    middle = block.residual1.add(x, update)
    normed2 = block.residual2.norm(middle)
    hidden = mlp.hidden(normed2)
    update2 = mlp.fc2(hidden)
    return {
        "x": x,
        "normed": normed,
        "q": q,
        "k": k,
        "v": v,
        "scores": attend.scores(q, k),
        "attention": attention,
        "mixed": mixed,
        "update": update,
        "middle": middle,
        "normed2": normed2,
        "wide": mlp.fc1(normed2),
        "hidden": hidden,
        "update2": update2,
        "out": block.residual2.add(middle, update2),
    }


def numbers(x: Tensor) -> NDArray[np.float32]:
    return x.detach().float().cpu().numpy()


@on_gpu
def dissect(
    name: str, pixels: Tensor, wanted: Choice, parts: tuple[str, ...] = ("still", "layer", "choice"), device="cpu"
) -> Anatomy:
    """Look inside one forward pass of one photo [1 3 H W]. Takes and returns CPU data."""
    model = MODELS.get(name).model.to(device)
    result = Anatomy()
    with torch.no_grad():
        pixels = pixels.to(device)
        output = model.trace(pixels)
        if "still" in parts:
            _still(model, pixels, output, result)
        block, x = model.blocks[wanted.layer], output.tokens[wanted.layer]
        opened = open_block(block, x, output.attentions[wanted.layer])
        result.shapes |= {key: list(value.shape) for key, value in opened.items()}
        error = (opened["out"] - output.tokens[wanted.layer + 1]).abs().max()
        result.figures["block_error"] = float(error)
        if "layer" in parts:
            flat = {"joined": opened["mixed"].transpose(1, 2).flatten(2)} | opened
            for key in ("x", "normed", "joined", "update", "middle", "normed2", "hidden", "update2", "out"):
                result.layer[key] = sheet(flat[key][0])
        _choice(model, pixels, output, opened, wanted, result)
    return result


def _still(model: ViT, pixels: Tensor, output: ViTOutput, result: Anatomy) -> None:
    """The way from pixels to the first block, and from the last block to the answer."""
    embedding, c = model.patch_embedding, model.config
    weight, bias = embedding.projection.weight, embedding.projection.bias
    cut = patchify(pixels, c.patch_size)
    projected = embedding.project(pixels)
    by_hand = F.linear(cut, weight.flatten(1), bias)
    prefix = embedding.prefix_tokens(1)
    joined = torch.cat([prefix, projected], dim=1)
    positions = embedding.positions_for(output.grid)
    tokens = torch.cat(output.tokens)  # [depth+1 N D]
    result.shapes |= {
        "pixels": list(pixels.shape),
        "patches": list(cut.shape),
        "weight": list(weight.shape),
        "matrix": list(weight.flatten(1).shape),
        "projected": list(projected.shape),
        "prefix": list(prefix.shape),
        "prefixed": list(joined.shape),
        "positions": list(positions.shape),
        "embedded": list(output.tokens[0].shape),
    }
    result.figures |= {
        "difference": float((projected - by_hand).abs().max()),
        "largest": float(projected.abs().max()),
        "position_size": float(positions.norm(dim=-1).mean()),
        "patch_size": float(projected.norm(dim=-1).mean()),
    }
    filters = weight[:FILTERS].float()
    low, high = filters.amin((1, 2, 3), keepdim=True), filters.amax((1, 2, 3), keepdim=True)
    result.still |= {
        "filters": (255 * (filters - low) / (high - low).clamp_min(1e-12)).round().byte().cpu().numpy(),
        "projected": sheet(projected[0]),
        "prefixed": sheet(joined[0]),
        "prefix": numbers(prefix[0]),
        "positions": sheet(positions),
        "embedded": sheet(output.tokens[0][0]),
        "norms": numbers(tokens.norm(dim=-1)),  # [depth+1 N]
        "moved": numbers((tokens[1:] - tokens[:-1]).norm(dim=-1) / tokens[:-1].norm(dim=-1)),  # [depth N]
    }
    fixed = fixed_positions(c.prefix, output.grid, c.width)
    if fixed is not None:
        result.still["fixed"] = sheet(fixed)
    result.still["final"] = sheet(model.classification_head.norm(output.tokens[-1])[0])
    if output.logits is not None:
        result.shapes["logits"] = list(output.logits.shape)
        result.logits = result.still["logits"] = numbers(output.logits[0])


def fixed_positions(prefix: int, grid: tuple[int, int], width: int) -> Tensor | None:
    """Sine-cosine positions [prefix+patches width] to set beside the model's: in two dimensions, prefix zero; by one
    running number where the width is no multiple of 4; None for an odd width."""
    if width % 2:
        return None
    if width % 4:
        return sincos_1d(prefix + grid[0] * grid[1], width)
    return torch.cat([torch.zeros(prefix, width), sincos_2d(grid, width)])


def _choice(
    model: ViT, pixels: Tensor, output: ViTOutput, opened: dict[str, Tensor], at: Choice, result: Anatomy
) -> None:
    """What is shown of one token in one head of one layer."""
    c, embedding = model.config, model.patch_embedding
    positions = embedding.positions_for(output.grid)
    prefixed = torch.cat([embedding.prefix_tokens(1), embedding.project(pixels)], dim=1)
    patch = max(at.query, c.prefix)
    for key in ("x", "normed", "update", "middle", "normed2", "wide", "hidden", "update2", "out"):
        result.choice[f"row_{key}"] = numbers(opened[key][0, at.query])
    weights = opened["attention"][0, at.head, at.query]
    best = weights.topk(min(STRONGEST, len(weights))).indices
    result.choice |= {
        "row_prefixed": numbers(prefixed[0, at.query]),
        "row_patch": numbers(prefixed[0, patch]),
        "row_positions": numbers(positions[at.query]),
        "row_embedded": numbers(output.tokens[0][0, at.query]),
        "q": numbers(opened["q"][0, at.head, at.query]),
        "k": sheet(opened["k"][0, at.head]),
        "v": sheet(opened["v"][0, at.head]),
        "qs": sheet(opened["q"][0, at.head]),
        "scores": numbers(opened["scores"][0, at.head, at.query]),
        "weights": numbers(weights),
        "best": numbers(best),
        "best_k": numbers(opened["k"][0, at.head, best]),
        "best_v": numbers(opened["v"][0, at.head, best]),
        "mixed": numbers(opened["mixed"][0, :, at.query]),  # [h d]: what each head found
        "course": numbers(torch.stack([a[0, at.head, at.query] for a in output.attentions])),  # [depth N]
        "likeness": numbers(torch.stack([cosine(x[0], at.query) for x in output.tokens])),  # [depth+1 N]
    }
    for number, residual in enumerate((model.blocks[at.layer].residual1, model.blocks[at.layer].residual2), start=1):
        if residual.scale is not None:
            result.choice[f"scale{number}"] = numbers(residual.scale)
    result.choice["positions"] = numbers(cosine(positions, patch))
    fixed = fixed_positions(c.prefix, output.grid, c.width)
    if fixed is not None:
        result.choice["fixed"] = numbers(cosine(fixed, patch))


def cosine(x: Tensor, row: int) -> Tensor:
    """Cosine of the angle between one row of x [N D] and each of its rows: [N], between -1 and 1."""
    return F.cosine_similarity(x, x[row : row + 1], dim=-1)


def colours_of(original: Image.Image, image: Image.Image, preprocess: Preprocess, patch: int) -> Arrays:
    """The crop [H W 3] as the browser draws it: patches [N C*P*P] as bytes, and the number that the model's input has
    for each byte and channel [3 256]. Together they are exactly `patchify(pixels)`. And the pixels in the middle of
    the original [3 6 6] (fewer if it is smaller)."""
    codes = torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)[None]  # [1 3 H W], bytes
    x, y = max(0, original.width // 2 - 3), max(0, original.height // 2 - 3)
    middle = original.convert("RGB").crop((x, y, min(x + 6, original.width), min(y + 6, original.height)))
    ramp = Image.fromarray(np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2))
    return {
        "patches": patchify(codes, patch)[0].numpy(),
        "levels": preprocess.normalise(ramp)[0, :, 0].numpy(),
        "middle": np.array(middle).transpose(2, 0, 1),
    }
