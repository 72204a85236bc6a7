"""The choice of model: the list, one model's card, and the sizes at which it can look at a photo."""

import html
from collections import Counter

import gradio as gr

import vit
from ui.engine import MODELS


def choices() -> list[tuple[str, str]]:
    """(line, name) of every model: those on disk first, then those to be downloaded, with their size."""
    known = [vit.checkpoint(name) for name in vit.available()]
    here = [c for c in known if vit.is_local(c.name)]
    titles = Counter(c.title for c in known)

    def title(c: vit.Checkpoint) -> str:
        return c.title if titles[c.title] == 1 else f"{c.title} ({c.name})"

    on_disk = [(f"{title(c)} · on disk", c.name) for c in here]
    return on_disk + [(f"{title(c)} · get {c.bytes / 1e6:.0f} MB", c.name) for c in known if c not in here]


def default_model() -> str:
    """The most accurate of the models that are on disk; the embedded one when nothing better is there."""
    here = [name for name in vit.available() if vit.is_local(name)]
    return max(here, key=lambda name: vit.checkpoint(name).top1 or 0)


def known(name: str, anything: bool = False) -> str:
    """The name itself, if it may be loaded here. Raises ValueError with a sentence.

    Paths and hub ids that are not in the registry are for hosts that allow `anything`: a public host must not load
    a stranger's files.
    """
    if name in vit.available() or (anything and name.strip()):
        return name.strip()
    raise ValueError(f"There is no model named {name!r} here.")


def checkpoint_of(name: str) -> vit.Checkpoint:
    """What is known about a model: from the registry, else from the model itself, which is then loaded."""
    return vit.checkpoint(name) if name in vit.available() else MODELS.get(name).checkpoint


def largest_side(c: vit.Checkpoint, memory: float) -> int:
    """The largest side in pixels at which all attention of one photo fits into `memory` gigabytes as 32-bit floats.

    Attention takes depth · (heads + 1) · tokens² numbers, the rollout counted as one more head.
    """
    tokens = (memory * 1e9 / 4 / (c.depth * (c.heads + 1))) ** 0.5
    return max(1, int((tokens - c.prefix) ** 0.5)) * c.patch


def usual_side(c: vit.Checkpoint, memory: float) -> int:
    """The side at which a photo is looked at unless the visitor says otherwise.

    The model's own, or the largest that takes a quarter of the memory: what a browser opens without a pause.
    """
    side = c.image_size if isinstance(c.image_size, int) else min(c.image_size)
    return min(side // c.patch * c.patch, largest_side(c, memory / 4))


def size_slider(name: str, memory: float) -> gr.Slider:
    """The slider of input sizes for this model; says what bounds it."""
    c = checkpoint_of(name)
    most = largest_side(c, memory)
    tokens = (most // c.patch) ** 2 + c.prefix
    return gr.Slider(
        minimum=min(most, 4 * c.patch),
        maximum=most,
        step=c.patch,
        value=usual_side(c, memory),
        label="Input size in pixels",
        info=f"Own size {c.image_size}; up to {tokens} tokens fit here.",
        buttons=[],
        elem_id="size",
    )


def line(name: str) -> str:
    """One line about a model, beside its name."""
    c = checkpoint_of(name)
    return f"{c.parameters / 1e6:.0f} M parameters · {c.image_size} px · patch {c.patch}"


def card(name: str) -> str:
    """What there is to know about a model, as HTML: source, licence, accuracy, sizes, what was assumed."""
    c = checkpoint_of(name)
    text = html.escape
    source = text(c.source if c.source != "file" else "a file of your own")
    where = f'<a href="{text(c.url)}" target="_blank" rel="noopener">{source}</a>' if c.url else source
    facts = [
        ("from", where),
        ("licence", text(c.licence) or "not stated"),
        ("parameters", f"{c.parameters / 1e6:.1f} million"),
        ("input", f"{c.image_size} px, patch {c.patch}"),
        ("blocks", f"{c.depth}, {c.heads} heads each"),
        ("classes", f"{c.classes}" if c.classes else "none: attention only"),
    ]
    if c.top1 is not None:
        page = f' (<a href="{text(c.top1_page)}" target="_blank" rel="noopener">source</a>)' if c.top1_page else ""
        facts.append(("ImageNet top-1", f"{100 * c.top1:.1f}%{page}"))
    rows = "".join(f"<dt>{label}</dt><dd>{value}</dd>" for label, value in facts)
    notes = "".join(f"<p>Assumed: {text(sentence)}</p>" for sentence in c.assumed)
    return f"<details><summary>About this model</summary><dl>{rows}</dl>{notes}</details>"
