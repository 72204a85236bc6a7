"""What the page and the HTTP endpoints both call: models, analyse, explain."""

import json
from collections.abc import Sequence

import gradio as gr
from PIL import Image

import visualize
import vit
from ui.engine import MODELS, Analysis, analyse, run_method
from ui.models import checkpoint_of, known, largest_side, usual_side
from ui.photo import sentence
from ui.settings import Settings


def models() -> list[dict]:
    """The models that this server knows: name, sizes, source, and whether the weights are here."""
    return [describe(name) for name in vit.available()]


def describe(name: str) -> dict:
    """One model's card as plain JSON."""
    c = vit.checkpoint(name)
    return {
        "name": c.name,
        "title": c.title,
        "parameters": c.parameters,
        "image_size": c.image_size,
        "patch": c.patch,
        "depth": c.depth,
        "heads": c.heads,
        "width": c.width,
        "source": c.source,
        "licence": c.licence,
        "here": vit.is_local(name),
    }


def ready(model: str, settings: Settings, progress: gr.Progress) -> None:
    """Load a model, downloading it if need be, with a progress bar."""
    progress(0, desc=f"Loading {model}")
    try:
        MODELS.get(known(model, settings.any_model))
    except (ValueError, OSError) as error:
        raise sentence(error, "This model cannot be used") from error


def look(image: Image.Image | None, model: str, settings: Settings, side: int | None = None) -> Analysis:
    """Analyse a photo at `side` pixels, else at the model's usual size; every failure is a sentence."""
    if image is None:
        raise sentence("Choose a photo first.", "No photo")
    try:
        c = checkpoint_of(known(model, settings.any_model))
        side = min(side or usual_side(c, settings.attention), largest_side(c, settings.attention))
        return analyse(image, model, settings.device, max(1, round(side / c.patch)) * c.patch)
    except (ValueError, OSError) as error:
        raise sentence(error, "This photo could not be looked at") from error


def find_class(target: str, labels: Sequence[str]) -> int | None:
    """The index of a class given by name or number; None for "". Raises ValueError with a sentence."""
    target = target.strip()
    if not target:
        return None
    if target.lstrip("-").isdigit():
        if 0 <= int(target) < len(labels):
            return int(target)
        raise ValueError(f"There is no class {target}: this model has classes 0 to {len(labels) - 1}.")
    lowered = [label.lower() for label in labels]
    if target.lower() in lowered:
        return lowered.index(target.lower())
    near = [label for label in labels if target.lower() in label.lower()][:5]
    hint = f" Did you mean {', '.join(near)}?" if near else ""
    raise ValueError(f"This model has no class named {target!r}.{hint}")


def explain(
    image: Image.Image | None, model: str, method: str, target: str, options: str, settings: Settings
) -> tuple[Image.Image, dict]:
    """One explanation of a photo: the overlay picture, and the heatmap as plain JSON."""
    if image is None:
        raise sentence("Choose a photo first.", "No photo")
    try:
        pretrained = MODELS.get(known(model, settings.any_model))
        if method not in visualize.METHODS:
            raise ValueError(f"There is no method named {method!r}. Known: {', '.join(visualize.METHODS)}.")
        chosen = json.loads(options) if options.strip() else {}
        if not isinstance(chosen, dict):
            raise ValueError('Options are a JSON object, such as {"layer": 3}.')
        index = find_class(target, pretrained.labels)
        if isinstance(chosen.get("contrast"), str):  # a rival class may be named too
            chosen["contrast"] = find_class(chosen["contrast"], pretrained.labels)
        side = usual_side(pretrained.checkpoint, settings.attention)
        prepared = pretrained.preprocess.resized(side)(image)
        heatmap, index = run_method(model, prepared.pixels, method, index, chosen, settings.device)
    except json.JSONDecodeError as error:
        raise sentence(f"The options are not JSON: {error.msg} at position {error.pos}.", "Options") from None
    except (ValueError, TypeError, OSError) as error:
        raise sentence(error, "This explanation could not be made") from error
    picture = visualize.overlay(prepared.image, heatmap)
    name = None if index is None else {"index": index, "name": pretrained.labels[index]}
    grid = list(heatmap.shape)
    return picture, {
        "heatmap": heatmap.tolist(),
        "grid": grid,
        "target": name,
        "method": method,
        "options": chosen,
    }
