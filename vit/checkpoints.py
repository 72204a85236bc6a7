"""Loading: from a name, a file, a folder or a hub id to a model with its preprocessing and its class names."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vit.convert import convert
from vit.hub import CONFIG, PREPROCESSOR, Repository, Unreachable, folder_weights, torchvision_path, torchvision_weights
from vit.labels import labels_for
from vit.model import ViT
from vit.preprocess import Preprocess
from vit.registry import REGISTRY, Checkpoint
from vit.settings import Settings, read_json, read_settings
from vit.weights import SUFFIXES, read_weights, sha256

_EMBEDDED_FOLDER = Path(__file__).resolve().parents[1] / "assets" / "embedded"
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True, eq=False)
class Pretrained:
    """A model in eval mode with everything that belongs to its weights."""

    model: ViT
    preprocess: Preprocess
    labels: tuple[str, ...]  # one per class, all different; empty for a model without a head
    checkpoint: Checkpoint
    files: tuple[Path, ...] = field(repr=False)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the files of weights, read one after the other, as hexadecimal digits; computed when asked."""
        return sha256(self.files)


def available() -> list[str]:
    """Names of the registry, the embedded model first. Any of them can be given to `load`."""
    return list(REGISTRY)


def checkpoint(name: str) -> Checkpoint:
    """What the registry knows of a name: its own, or its hub id. Raises ValueError naming close matches."""
    entry = _find(name)
    if entry is None:
        raise ValueError(_unknown(name))
    return entry


def is_local(name: str | Path) -> bool:
    """Whether `load(name)` needs no download: a path that exists, or a checkpoint that is complete on disk."""
    entry = _find(name)
    if entry is None:
        if _is_path(name):
            return Path(name).expanduser().exists()
        repo, _, revision = str(name).partition("@")
        return bool(_HUB_ID.fullmatch(repo)) and Repository(repo, revision or None).is_local()
    if entry.source == "embedded":
        return _EMBEDDED_FOLDER.is_dir()
    if entry.source == "torchvision":
        return torchvision_path(entry.file).is_file()
    return Repository(entry.repo).is_local()


def load(name: str | Path, *, labels: Sequence[str] | None = None) -> Pretrained:
    """Load a model with its preprocessing and class names; it is in eval mode, on the CPU, in float32.

    `name` is one of `available()`, a file (.safetensors, .pth, .pt, .bin, .npz), a folder (config.json beside
    model.safetensors), or a hub id such as "facebook/dinov2-small", optionally with "@revision". `labels` are one's
    own class names, one per class. What no file and no registry says is taken for granted and listed in
    `.checkpoint.assumed`. Each call returns a new model; calls from several threads do not disturb each other.
    Raises ValueError with a sentence: for an unknown name, a file that cannot be used, a model that is not a plain
    Vision Transformer, a wrong number of labels, and when a download is needed but the network is not there.
    """
    try:
        found = _locate(name)
    except Unreachable as error:
        here = ", ".join(filter(is_local, REGISTRY))
        raise ValueError(f"{error} Without a network, these models can be used: {here}.") from error
    with torch.inference_mode(False):  # weights made inside it could never be differentiated through
        return _build(found, labels)


@dataclass(frozen=True)
class _Found:
    """Where a checkpoint lies and what is known of it before its tensors are read."""

    name: str
    files: tuple[Path, ...]
    settings: Settings
    entry: Checkpoint | None
    url: str = ""


def _locate(name: str | Path) -> _Found:
    """Find the files of a checkpoint, downloading what is missing, and read its settings."""
    entry = _find(name)
    if entry is None:
        if _is_path(name):
            return _locate_path(Path(name).expanduser())
        repo, _, revision = str(name).partition("@")
        if not _HUB_ID.fullmatch(repo) or repo.startswith("torchvision/"):
            raise ValueError(_unknown(str(name)))
        return _locate_on_hub(repo, revision or None, None)
    if entry.source == "embedded":
        return replace(_locate_path(_EMBEDDED_FOLDER), entry=entry)
    if entry.source == "torchvision":
        return _Found(entry.name, torchvision_weights(entry.file), Settings(), entry, entry.url)
    return _locate_on_hub(entry.repo, None, entry)


def _locate_on_hub(repo: str, revision: str | None, entry: Checkpoint | None) -> _Found:
    source = Repository(repo, revision)
    config = source.get(CONFIG)
    if config is None:
        raise ValueError(f"{repo} on the hub has no {CONFIG}: nothing says what its weights are.")
    preprocessor = source.get(PREPROCESSOR) if "model_type" in read_json(config) else None
    settings = _settings(config, preprocessor)  # refuses other architectures before their weights are downloaded
    return _Found(repo, source.weights(), settings, entry, f"https://huggingface.co/{repo}")


def _locate_path(path: Path) -> _Found:
    if not path.is_dir():
        return _Found(str(path), (path,), Settings(), None)
    config, preprocessor = path / CONFIG, path / PREPROCESSOR
    settings = _settings(config, preprocessor if preprocessor.is_file() else None) if config.is_file() else Settings()
    return _Found(str(path), folder_weights(path), settings, None)


def _settings(config: Path, preprocessor: Path | None) -> Settings:
    return read_settings(read_json(config), read_json(preprocessor) if preprocessor else None)


def _build(found: _Found, labels: Sequence[str] | None) -> Pretrained:
    """Convert the tensors, then fill in what is missing: from the settings, else the registry, else by assumption."""
    tensors = read_weights(found.files)
    s, entry, assumed = found.settings, found.entry, [*found.settings.assumed]
    if entry is None and (entry := _by_file_name(found, tensors)):
        assumed.append(f"Preprocessing and settings are those of {entry.name}, which the file's name says it is.")
        entry = replace(entry, source="file", repo=found.name)

    def known(setting: str) -> Any:
        """The files beside the weights are believed first, then the registry."""
        value = getattr(s, setting)
        return value if value is not None or entry is None else getattr(entry, setting)

    converted = convert(
        tensors,
        heads=known("heads"),
        image_size=s.image_size,
        norm_eps=known("norm_eps"),
        activation=known("activation"),
        interpolation=known("interpolation"),
    )
    if s.averages and converted.config.readout == "class":
        converted = replace(converted, config=replace(converted.config, readout="mean"))
    model, c = converted.build(), converted.config
    if entry is None and not s.source:  # a lone file: the source's own defaults stand in
        assumed += converted.assumed
    elif known("heads") is None:
        assumed.append(f"{c.heads} heads of {c.width // c.heads} numbers each: no file says how many there are.")
    preprocess = known("preprocess")
    if preprocess is None:
        preprocess = Preprocess(c.image_size, 0.9)
        assumed.append("Preprocessing: crop share 0.9, bicubic, ImageNet's mean and deviation: no file says it.")
    fitting = tuple(max(side // c.patch_size, 1) * c.patch_size for side in preprocess.height_width)
    if fitting != preprocess.height_width:
        said = f"{preprocess.height_width} pixels are no multiples of the patch size {c.patch_size}"
        assumed.append(f"Photos are prepared at {fitting[0]} × {fitting[1]} pixels: {said}.")
        preprocess = preprocess.resized(fitting[0] if fitting[0] == fitting[1] else (fitting[0], fitting[1]))
    names = labels if labels is not None else s.labels if s.labels and len(s.labels) == c.classes else None
    if names is None and entry is None and c.classes == 1000:
        assumed.append("The 1000 classes are ImageNet's: no file names them.")
    parameters = sum(p.numel() for p in model.parameters())
    if entry is None:
        entry = Checkpoint(
            name=found.name,
            title=Path(found.name).stem if not found.url else found.name,
            source="transformers" if s.source == "transformers" and found.url else "timm" if found.url else "file",
            repo=found.name,
            licence=s.licence,
            url=found.url,
            parameters=parameters,
            classes=c.classes,
            preprocess=preprocess,
            patch=c.patch_size,
            width=c.width,
            depth=c.depth,
            heads=c.heads,
            prefix=c.prefix,
            norm_eps=c.norm_eps,
            activation=c.activation,
            interpolation=c.interpolation,
            bytes_per_number=max(1, round(sum(f.stat().st_size for f in found.files) / parameters)),
        )
    entry = replace(entry, preprocess=preprocess, assumed=tuple(assumed))
    return Pretrained(model, preprocess, labels_for(c.classes, names), entry, found.files)


def _by_file_name(found: _Found, tensors: dict[str, Tensor]) -> Checkpoint | None:
    """The registered checkpoint that a lone file is, by its name and its number of numbers."""
    if found.settings != Settings():
        return None
    stem, numbers = found.files[0].stem, sum(t.numel() for t in tensors.values())
    return next((c for c in REGISTRY.values() if stem in (c.name, _last(c.repo)) and c.parameters == numbers), None)


def _find(name: str | Path) -> Checkpoint | None:
    """The registry's entry of this name, of this hub id, or of the hub id that ends in this name."""
    if isinstance(name, Path):
        return None
    if name in REGISTRY:
        return REGISTRY[name]
    return next((c for c in REGISTRY.values() if c.source == "timm" and name in (c.repo, _last(c.repo))), None)


def _last(repo: str) -> str:
    return repo.rsplit("/", 1)[-1]


def _is_path(name: str | Path) -> bool:
    if isinstance(name, Path):
        return True
    return name.endswith(SUFFIXES) or name.startswith((".", "/", "~")) or Path(name).exists()


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, [*REGISTRY, *(c.repo for c in REGISTRY.values())], n=3, cutoff=0.5)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    return f"There is no model or file named {name!r}.{hint} vit.available() lists the names that can be loaded."
