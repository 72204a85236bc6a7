"""Class names: ImageNet's, and the rule that makes any list of names unique."""

from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path

_IMAGENET = Path(__file__).resolve().parents[1] / "assets" / "imagenet_classes.txt"


@cache
def imagenet() -> tuple[str, ...]:
    """The 1000 class names of ImageNet (ILSVRC 2012) in the order of the logits, all different in any case."""
    return tuple(_IMAGENET.read_text(encoding="utf-8").splitlines())


def unique(names: Sequence[str]) -> tuple[str, ...]:
    """The same names, with the class number in brackets behind those that occur more than once (in any case)."""
    seen = Counter(name.casefold() for name in names)
    return tuple(f"{name} ({i})" if seen[name.casefold()] > 1 else name for i, name in enumerate(names))


def labels_for(classes: int, names: Sequence[str] | None = None) -> tuple[str, ...]:
    """One unique name per class: those given, else ImageNet's for 1000 classes, else "class 0", "class 1", …

    ImageNet's long lists of synonyms and the placeholders "LABEL_0" count as not given. Raises ValueError when the
    number of names is not the number of classes.
    """
    if names is not None and len(names) != classes:
        raise ValueError(f"The model has {classes} classes, but {len(names)} class names were given.")
    if names and not _placeholder(names):
        return unique(names)
    return imagenet() if classes == 1000 else tuple(f"class {i}" for i in range(classes))


def _placeholder(names: Sequence[str]) -> bool:
    imagenet_synonyms = len(names) == 1000 and names[0].startswith("tench") and names[999].startswith("toilet tissue")
    return imagenet_synonyms or all(name == f"LABEL_{i}" for i, name in enumerate(names))
