"""Maps of one photo and how far each can be trusted, for the Explain tab. Knows nothing of Gradio."""

import secrets
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

import visualize
import vit
from ui.engine import MODELS, Analysis, on_gpu, run_method
from visualize.faithfulness import blur, mean_colour

STEPS = 14  # of the insertion and deletion curves
SIGMA = 10.0  # of the blur that insertion starts from, in pixels
SEEDS = 5  # random maps that the baseline is made of
BATCH = 8  # pictures in the model at once
PIECE = 32  # patches covered in one turn of the lane

Key = tuple[str, int, int | None, int | None]


@dataclass(eq=False)
class Opened:
    """One photo in one model as a visitor has it before them, and the maps of it made so far.

    It waits on the server as long as the visitor stays, so it holds neither the model nor the photo as it came.
    """

    name: str  # of the model, as the page names it
    pixels: Tensor  # [1 3 H W]
    device: str = "cpu"
    run: str = field(default_factory=lambda: secrets.token_hex(8))
    maps: dict[Key, NDArray[np.float32]] = field(default_factory=dict)  # each [rows cols]
    begun: dict[Key, tuple[NDArray[np.float32], int]] = field(default_factory=dict)  # so far, and how many patches


@on_gpu
def probabilities(name: str, pixels: Tensor, device: str = "cpu") -> NDArray[np.float32] | None:
    """Softmax over the classes for photos [B 3 H W]: [B classes]; None for a model without a head. CPU data."""
    model = MODELS.get(name).model.to(device)
    if not model.config.classes:
        return None
    with torch.no_grad():
        return model(pixels.to(device)).softmax(-1).float().cpu().numpy()


@on_gpu
def curves(name: str, pixels: Tensor, heatmap: NDArray[np.float32], target: int, device: str = "cpu") -> dict:
    """Insertion and deletion of one photo [1 3 H W] in the order of its map [rows cols]: areas, curves, shares.

    `counts` are the patches changed at each point of the curves. Plain numbers.
    """
    model = MODELS.get(name).model.to(device)
    patches = heatmap.size
    steps = min(STEPS, patches)
    given = torch.from_numpy(heatmap)[None].to(device)
    result = visualize.insertion_deletion(
        model, pixels.to(device), given, target, steps=steps, sigma=SIGMA, batch_size=BATCH
    )
    return {
        "insertion": float(result.insertion),
        "deletion": float(result.deletion),
        "insertion_curve": result.insertion_curve[0].tolist(),
        "deletion_curve": result.deletion_curve[0].tolist(),
        "counts": (result.shares * patches).round().int().tolist(),
    }


def open_photo(image: Image.Image, name: str, device: str, side: int) -> tuple[Opened, Analysis]:
    """A photo ready to be explained at `side` pixels, and what there is to say about it: an analysis without planes,
    its probabilities [1 classes]. Raises ValueError with a sentence."""
    pretrained = MODELS.get(name)
    prepared = pretrained.preprocess.resized(side)(image)
    config = pretrained.model.config
    grid = prepared.pixels.shape[-2] // config.patch_size, prepared.pixels.shape[-1] // config.patch_size
    shares = probabilities(name, prepared.pixels, device)
    analysis = Analysis(pretrained, prepared.image, image, prepared.box, (), grid, config.prefix, shares)
    return Opened(name, prepared.pixels, device), analysis


def key_of(method: str, target: int | None, rival: int | None, seed: int = 0) -> Key:
    """What a map depends on: a class only for methods that explain one, a rival only for those that take one."""
    chosen = visualize.METHODS[method]
    return method, seed, target if chosen.needs_target else None, rival if chosen.contrastive else None


def options_of(key: Key) -> dict:
    """The method's options for the map of this key."""
    method, seed, _, rival = key
    options: dict = {} if rival is None else {"contrast": rival}
    return {**options, "seed": seed} if method == "random" else options


def map_of(opened: Opened, method: str, target: int | None, rival: int | None, seed: int = 0) -> NDArray[np.float32]:
    """The map [rows cols] of one method, made once. `seed` is for the random map. Raises ValueError with a sentence."""
    key = key_of(method, target, rival, seed)
    if key not in opened.maps:
        options = options_of(key)
        opened.maps[key], _ = run_method(opened.name, opened.pixels, method, key[2], options, opened.device)
    return opened.maps[key]


def go_on(opened: Opened, method: str, target: int | None, rival: int | None, seed: int = 0) -> float:
    """Make the next piece of a map that can be made in pieces, the whole map otherwise: the share that is there, of 1.

    So one map of many passes does not keep the model from everybody else. Raises ValueError with a sentence.
    """
    key = key_of(method, target, rival, seed)
    if key in opened.maps or "patches" not in visualize.METHODS[method].options:
        map_of(opened, method, target, rival, seed)
        return 1.0
    count = opened.pixels[0, 0].numel() // MODELS.get(opened.name).model.config.patch_size ** 2
    so_far, first = opened.begun.get(key, (np.float32(0), 0))
    end = min(first + PIECE, count)
    options = {**options_of(key), "patches": (first, end)}
    piece, _ = run_method(opened.name, opened.pixels, method, key[2], options, opened.device)
    if end == count:
        opened.maps[key] = so_far + piece
        opened.begun.pop(key, None)
    else:
        opened.begun[key] = so_far + piece, end
    return end / count


def as_picture(pixels: Tensor, preprocess: vit.Preprocess) -> Image.Image:
    """Normalised numbers [1 3 H W] as the RGB picture that they stand for."""
    mean, std = (torch.tensor(values)[:, None, None] for values in (preprocess.mean, preprocess.std))
    levels = ((pixels[0] * std + mean).clamp(0, 1) * 255).round().byte()
    return Image.fromarray(levels.permute(1, 2, 0).numpy())


def blurred(pixels: Tensor, preprocess: vit.Preprocess) -> Image.Image:
    """The blurred photo that insertion starts from."""
    return as_picture(blur(pixels, SIGMA), preprocess)


def plain_colour(pixels: Tensor, preprocess: vit.Preprocess) -> list[int]:
    """The photo's mean colour that deletion fills patches with: red, green, blue, 0 … 255."""
    return np.asarray(as_picture(mean_colour(pixels), preprocess))[0, 0].tolist()


def agreement(maps: dict[str, NDArray[np.float32]]) -> list[list[float]]:
    """Rank correlation of each pair of maps [rows cols], in their order: [maps][maps]."""
    return visualize.agreement({name: torch.from_numpy(each)[None] for name, each in maps.items()}).tolist()


@on_gpu
def check(
    name: str, what: str, pixels: Tensor, method: str, target: int | None, options: dict, device: str = "cpu"
) -> float:
    """One number about a method on one photo [1 3 H W]: "stability" or "dependence" on what the model learned."""
    model = MODELS.get(name).model.to(device)
    measure = {"stability": visualize.stability, "dependence": visualize.model_dependence}[what]
    return float(measure(model, pixels.to(device), method, target, **options))
