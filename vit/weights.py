"""Files of weights: reading them without running anything that is in them, and their SHA-256."""

import hashlib
import pickle
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".npz")

# Training scripts wrap the weights in one of these; averaged weights first, as they are the ones to use.
_WRAPPERS = ("teacher", "model_ema", "state_dict_ema", "state_dict", "model_state_dict", "model", "student")


def read_weights(files: Sequence[Path]) -> dict[str, Tensor]:
    """Names and tensors of one or several files, on the CPU, in the precision of the files.

    Reads safetensors, PyTorch files (`torch.load` with weights only, so that no code in a file is ever run) and
    JAX's .npz. Raises ValueError with a sentence for a file that is missing, damaged, not one of these, or pickled,
    and for a name that two files contain.
    """
    tensors: dict[str, Tensor] = {}
    for file in files:
        part = _read(file)
        twice = sorted(tensors.keys() & part.keys())
        if twice:
            raise ValueError(f"{twice[0]} occurs in more than one of the files of weights, also in {file.name}.")
        tensors.update(part)
    return tensors


def sha256(files: Sequence[Path]) -> str:
    """SHA-256 of one or several files, read one after the other in the order given, as hexadecimal digits."""
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _read(file: Path) -> dict[str, Tensor]:
    if not file.is_file():
        raise ValueError(f"There is no file {file}.")
    if file.suffix not in SUFFIXES:
        raise ValueError(f"{file.name} is not a file of weights that can be read; {', '.join(SUFFIXES)} are.")
    if file.suffix == ".safetensors":
        try:
            return load_file(file)
        except (SafetensorError, OSError) as error:
            raise ValueError(f"{file.name} is damaged, incomplete or not a safetensors file.") from error
    if file.suffix == ".npz":
        return _read_npz(file)
    return _read_torch(file)


def _read_npz(file: Path) -> dict[str, Tensor]:
    if not zipfile.is_zipfile(file):  # NumPy leaves half-open files behind when it finds out by itself
        raise ValueError(f"{file.name} is damaged or not an .npz file of plain arrays.")
    try:
        with np.load(file, allow_pickle=False) as arrays:
            return {name: torch.from_numpy(np.array(arrays[name])) for name in arrays.files}
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{file.name} is damaged or not an .npz file of plain arrays.") from error


def _read_torch(file: Path) -> dict[str, Tensor]:
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{file.name} is not a plain PyTorch file of weights: it is damaged, something else, or contains Python "
            "objects, which could run code and are never loaded. Save its state dict as safetensors."
        ) from error
    except Exception as error:  # a broken file fails in many ways, depending on where it breaks
        raise ValueError(f"{file.name} is damaged, incomplete or not a PyTorch file of weights.") from error
    while isinstance(content, Mapping):
        inner = next((content[key] for key in _WRAPPERS if isinstance(content.get(key), Mapping)), None)
        if inner is None:
            break
        content = inner
    if not isinstance(content, Mapping):
        raise ValueError(f"{file.name} contains no weights by name, but a {type(content).__name__}.")
    tensors = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    if not tensors:
        raise ValueError(f"{file.name} contains no weights.")
    return tensors
