"""Finding the files of a checkpoint: in a folder, in the Hugging Face hub's cache, on the hub, at torchvision's."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

import torch

from vit.settings import read_json

CONFIG, PREPROCESSOR = "config.json", "preprocessor_config.json"
_SINGLE, _INDEX, _PICKLED = "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin"
_TORCHVISION = "https://download.pytorch.org/models/"


class Unreachable(ValueError):
    """Something is not on disk and cannot be downloaded now; its text is a sentence."""


class Repository:
    """One repository on the hub: files come from the cache when they are there, else they are downloaded.

    All files are of one revision, also when the repository changes between two downloads. `revision` is a branch,
    a tag or a commit; None is the main branch. Every method raises ValueError with a sentence: `Unreachable` without
    a network, plain for a repository or revision that does not exist, is private, or asks for permission.
    """

    def __init__(self, repo: str, revision: str | None = None) -> None:
        self.repo, self.revision = repo, revision

    def cached(self, file: str) -> Path | None:
        """Path of the file in the cache, without asking the hub; None if it is not there."""
        from huggingface_hub import try_to_load_from_cache

        with _sentences(self.repo):
            found = try_to_load_from_cache(self.repo, file, revision=self.revision)
        return Path(found) if isinstance(found, str) else None

    def get(self, file: str) -> Path | None:
        """Path of the file, downloaded if need be; None if the repository has no such file."""
        import huggingface_hub
        from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

        path = self.cached(file)
        if path is None:
            with _sentences(self.repo):
                _require_name_service(huggingface_hub.constants.ENDPOINT)
                try:
                    path = Path(huggingface_hub.hf_hub_download(self.repo, file, revision=self.revision))
                except LocalEntryNotFoundError:
                    raise
                except EntryNotFoundError:
                    return None
        if path.parent.parent.name == "snapshots":
            self.revision = path.parent.name  # the commit: what follows must come from the same one
        return path

    def weights(self) -> tuple[Path, ...]:
        """The files of weights: safetensors, whole or in parts, else PyTorch's. Downloads what is missing."""
        if whole := self.get(_SINGLE):
            return (whole,)
        if index := self.get(_INDEX):
            parts = [self.get(part) for part in _parts(index)]
            if None in parts:
                raise ValueError(f"{self.repo} on the hub lacks some of the parts of its weights.")
            return tuple(part for part in parts if part is not None)
        if pickled := self.get(_PICKLED):
            return (pickled,)
        raise ValueError(f"{self.repo} on the hub has no {_SINGLE} and no {_PICKLED}.")

    def is_local(self) -> bool:
        """Whether settings and weights are all in the cache."""
        if self.cached(CONFIG) is None:
            return False
        if self.cached(_SINGLE) or self.cached(_PICKLED):
            return True
        index = self.cached(_INDEX)
        return index is not None and all(self.cached(part) for part in _parts(index))


def _require_name_service(address: str) -> None:
    """Raise OSError at once where the address cannot even be looked up; the hub's library would try for half a minute.

    Behind a proxy the look-up is the proxy's affair, and offline mode has its own error.
    """
    if not getproxies():
        socket.getaddrinfo(urlsplit(address).hostname, None)


def folder_weights(folder: Path) -> tuple[Path, ...]:
    """The files of weights in a folder laid out like a hub repository. Raises ValueError if there are none.

    Parts (model-0.safetensors, …) may come with or without an index.
    """
    if (folder / _SINGLE).is_file():
        return (folder / _SINGLE,)
    if (folder / _INDEX).is_file():
        return tuple(folder / part for part in _parts(folder / _INDEX))
    if parts := sorted(folder.glob("model-*.safetensors")):
        return tuple(parts)
    if (folder / _PICKLED).is_file():
        return (folder / _PICKLED,)
    raise ValueError(f"The folder {folder} contains no {_SINGLE} and no {_PICKLED}.")


def torchvision_path(file: str) -> Path:
    """Where PyTorch keeps a file of torchvision's weights once it has been downloaded."""
    return Path(torch.hub.get_dir()) / "checkpoints" / file


def torchvision_weights(file: str) -> tuple[Path, ...]:
    """The file of weights, downloaded if need be and checked against the hash in its name.

    Raises Unreachable with a sentence when it is not on disk and the download fails.
    """
    path = torchvision_path(file)
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(_TORCHVISION + file, str(path), file.rsplit("-", 1)[1].split(".")[0])
        except (OSError, RuntimeError) as error:
            raise Unreachable(f"{file} is not on this computer, and its download failed.") from error
    return (path,)


def _parts(index: Path) -> list[str]:
    """File names in an index of weights, each once, sorted; only names beside it count."""
    names = read_json(index).get("weight_map")
    if not isinstance(names, dict) or not names:
        raise ValueError(f"{index.name} lists no files of weights.")
    parts = sorted({str(name) for name in names.values()})
    if any(Path(part).name != part for part in parts):
        raise ValueError(f"{index.name} names files outside its own folder.")
    return parts


@contextmanager
def _sentences(repo: str) -> Iterator[None]:
    """Turn what the hub's library raises into one sentence."""
    from huggingface_hub import errors

    try:
        yield
    except errors.GatedRepoError as error:
        raise ValueError(f"{repo} asks for permission: accept its terms on the hub and log in first.") from error
    except errors.RevisionNotFoundError as error:
        raise ValueError(f"{repo} has no such revision.") from error
    except errors.RepositoryNotFoundError as error:
        raise ValueError(f"There is no public model {repo} on the Hugging Face hub.") from error
    except errors.HFValidationError as error:
        raise ValueError(f"{repo!r} is not a name that the Hugging Face hub can have.") from error
    except Exception as error:  # no network: refused, timed out, no name resolution, offline mode…
        raise Unreachable(f"{repo} is not on this computer, and the Hugging Face hub cannot be reached.") from error
