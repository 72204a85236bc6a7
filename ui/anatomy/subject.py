"""A photo in a model as the tab shows it: what is computed, put into words and packed, and what of it is kept."""

import secrets
from dataclasses import asdict, dataclass, field, replace

import numpy as np
import torch
from gradio.data_classes import FileData, GradioModel
from numpy.typing import NDArray
from PIL import Image

from ui import side
from ui.anatomy.engine import Choice, colours_of, dissect
from ui.anatomy.numbers import best
from ui.anatomy.pack import Arrays, pack
from ui.anatomy.slips import Slips, careless_ways, slip
from ui.anatomy.steps import facts_of, steps
from ui.component import Part
from ui.engine import MODELS
from ui.explorer import prefix_names
from vit import Prepared, Preprocess, Pretrained
from vit.images import open_image


class AnatomyData(GradioModel):
    """What the browser is sent: words and addresses. The numbers lie in the files, as `pack` writes them."""

    run: str  # new for each photo, model and size
    look: str  # new for each choice too, so that the page notices
    photo_size: list[int]  # width and height of the whole photo in pixels
    box: list[float]  # the crop in it: left, top, right, bottom
    facts: dict  # sizes of the model and of the photo in it, and single numbers that the words mention
    steps: list[dict]
    at: dict  # layer, head, query
    slips: dict | None  # None until asked for
    files: dict[str, FileData]  # photo and crop as pictures; colours, still, layer, choice and slips packed


@dataclass(frozen=True, eq=False)
class Kept:
    """What a visitor's page needs to answer the next choice; no numbers, those lie in files."""

    data: AnatomyData
    layers: dict[int, FileData] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Subject:
    """A photo in a model at one size, on one device."""

    name: str
    pretrained: Pretrained
    preprocess: Preprocess
    image: Image.Image
    prepared: Prepared
    device: str = "cpu"

    @classmethod
    def of(cls, image: Image.Image, name: str, pixels: int, device: str = "cpu") -> "Subject":
        """The photo at `pixels` per side. Raises ValueError with a sentence if the model cannot be loaded."""
        pretrained = MODELS.get(name)
        preprocess = pretrained.preprocess.resized(pixels)
        return cls(name, pretrained, preprocess, image, preprocess(image), device)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches."""
        return self.pretrained.model.patch_embedding.grid_of(self.prepared.pixels)


def packed(part: Part, arrays: Arrays, name: str) -> FileData:
    return part.save(pack(arrays), f"{name}.gz")


def describe(part: Part, subject: Subject, wanted: dict) -> Kept:
    """Everything about a photo, at the choice nearest to `wanted` (layer, head, query)."""
    c, p = subject.pretrained.model.config, subject.preprocess
    at = Choice.within(wanted, c, subject.grid)
    inside = dissect(subject.name, subject.prepared.pixels, at, device=subject.device)
    thumbnail = subject.image.copy()
    thumbnail.thumbnail((640, 640))
    facts = facts_of(c, subject.grid) | inside.figures
    facts |= {"model": subject.pretrained.checkpoint.name, "prefix": prefix_names(c)}
    facts |= {"size": list(subject.prepared.image.size), "mean": list(p.mean), "std": list(p.std)}
    facts["best"] = best(inside.logits, subject.pretrained.labels, 10)
    learned_at = subject.grid == subject.pretrained.model.patch_embedding.grid
    run = secrets.token_hex(8)
    layer = packed(part, inside.layer, f"layer{at.layer + 1}")
    data = AnatomyData(
        run=run,
        look=run,
        photo_size=list(subject.image.size),
        box=list(subject.prepared.box),
        facts=facts,
        steps=[step.plain() for step in steps(c, inside.shapes, subject.image.size, p, learned_at)],
        at=asdict(at),
        slips=None,
        files={
            "photo": part.picture(thumbnail, "photo.webp"),
            "crop": part.picture(subject.prepared.image, "crop.webp"),
            "colours": packed(part, colours_of(subject.image, subject.prepared.image, p, c.patch_size), "colours"),
            "still": packed(part, inside.still, "still"),
            "layer": layer,
            "choice": packed(part, inside.choice, "choice"),
        },
    )
    return Kept(data, {at.layer: layer})


def reopen(part: Part, subject: Subject, kept: Kept, wanted: dict) -> Kept:
    """The same photo at another choice: only what depends on the choice is packed again."""
    at = Choice.within(wanted, subject.pretrained.model.config, subject.grid)
    parts = ("choice",) if at.layer in kept.layers else ("layer", "choice")
    inside = dissect(subject.name, subject.prepared.pixels, at, parts, subject.device)
    layers = dict(kept.layers)
    if at.layer not in layers:
        layers[at.layer] = packed(part, inside.layer, f"layer{at.layer + 1}")
    files = kept.data.files | {"layer": layers[at.layer], "choice": packed(part, inside.choice, "choice")}
    return Kept(_changed(kept, files=files, at=asdict(at), facts=kept.data.facts | inside.figures), layers)


def with_slips(part: Part, subject: Subject, kept: Kept) -> Kept:
    """What is shown, with what the slips do to this photo added."""
    titles, images = neighbours(subject.image)
    beside = torch.cat([subject.preprocess(image).pixels for image in images])
    careless = careless_ways(subject.image, subject.preprocess)
    found = slip(subject.name, subject.prepared.pixels, beside, careless, subject.device)
    arrays: Arrays = {
        "scrambled": as_bytes(found.scrambled, subject.preprocess),
        "squashed": (255 * careless["squash"][0]).round().byte().numpy(),
    }
    if "right" in found.every:
        answer = int(found.logits["right"].argmax())
        arrays["every"] = torch.from_numpy(found.every["right"]).softmax(-1)[:, answer].numpy()  # [N]
    files = {"slips": packed(part, arrays, "slips")}
    for i, image in enumerate(images):
        small = subject.preprocess(image).image
        small.thumbnail((160, 160))
        files[f"neighbour{i}"] = part.picture(small, f"neighbour{i}.webp")
    return replace(kept, data=_changed(kept, slips=told(found, subject, titles), files=kept.data.files | files))


def _changed(kept: Kept, **fields) -> AnatomyData:
    return kept.data.model_copy(update={**fields, "look": secrets.token_hex(8)})


def neighbours(image: Image.Image) -> tuple[list[str], list[Image.Image]]:
    """Two example photos with their titles, neither of them the photo itself."""
    others = [(entry["title"], open_image(entry["file"])) for entry in reversed(side.example_photos())]
    others = [(title, each) for title, each in others if each.tobytes() != image.tobytes()][:2]
    return [title for title, _ in others], [each for _, each in others]


def as_bytes(pixels: NDArray[np.float32], preprocess: Preprocess) -> NDArray[np.uint8]:
    """Normalised pixels [3 H W] as colours from 0 to 255, clipped."""
    mean, std = (np.array(v, dtype=np.float32)[:, None, None] for v in (preprocess.mean, preprocess.std))
    return np.rint(255 * np.clip(pixels * std + mean, 0, 1)).astype(np.uint8)


def told(found: Slips, subject: Subject, titles: list[str]) -> dict:
    """The slips in the form of cards: what was done, the first three answers, how like the last tokens are."""
    labels, prefix = subject.pretrained.labels, subject.pretrained.model.config.prefix

    def votes(variant: str) -> list[dict]:
        """The classes that most patches answer, and how many do."""
        if variant not in found.every:
            return []
        names, counts = np.unique(found.every[variant][prefix:].argmax(1), return_counts=True)
        order = np.argsort(-counts, kind="stable")[:3]
        return [{"name": labels[names[i]], "count": int(counts[i])} for i in order]

    def card(variant: str, name: str) -> dict:
        top = best(found.logits.get(variant), labels)
        likeness = found.likeness[variant]
        likeness = round(likeness, 4) if np.isfinite(likeness) else None
        return {"name": name, "top": top, "likeness": likeness, "votes": votes(variant)}

    cards = {
        "scramble": [card("scramble", "reshape alone")],
        "batch": [card(f"batch{i}", f"beside “{title}”") for i, title in enumerate(titles)]
        + [card("batch_alone", "alone in its batch")],
        "nonorm": [card("norm", "norm thrown away")],
        "each": [],
        "squash": [
            card("squash_normalised", "squashed"),
            card("unnormalised", "not normalised"),
            card("squash", "both, as in the text"),
        ],
    }
    facts: dict = {"norms": found.norms, "neighbour_effect": found.neighbour_effect}
    if "right" in found.every:
        answers = found.every["right"].argmax(1)
        facts["agree"] = int((answers == found.logits["right"].argmax()).sum())
        facts["different"] = len(np.unique(answers))
        facts["turned"] = int((found.every["batch0"].argmax(1) != found.every["batch1"].argmax(1))[prefix:].sum())
        mean = best(found.every["right"].mean(0), labels)
        cards["each"] = [{"name": "the mean of all answers", "top": mean, "likeness": None, "votes": []}]
    return {"right": card("right", "as it should be"), "cards": cards, **facts}
