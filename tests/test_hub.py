"""The hub without a network: its cache is laid out in a folder, and the download function is replaced."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub import constants, errors

from vit.hub import Repository, Unreachable, folder_weights, torchvision_path, torchvision_weights

# What the library's errors want to know of the answer, whichever HTTP client it uses.
RESPONSE: Any = SimpleNamespace(headers={}, request=None, status_code=404, text="")
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """An empty cache; `hub(repo, files)` puts a repository on the pretended server, which counts what is asked."""
    cache = tmp_path / "hub"
    cache.mkdir()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    server: dict[str, dict[str, str]] = {}
    asked: list[tuple[str, str, str | None]] = []

    def download(repo: str, file: str, revision: str | None = None) -> str:
        asked.append((repo, file, revision))
        if repo not in server:
            raise errors.LocalEntryNotFoundError("no network")
        if file not in server[repo]:
            raise errors.RemoteEntryNotFoundError("404", response=RESPONSE)
        folder = cache / f"models--{repo.replace('/', '--')}"
        (folder / "refs").mkdir(parents=True, exist_ok=True)
        (folder / "refs" / "main").write_text(COMMIT)
        path = folder / "snapshots" / COMMIT / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(server[repo][file])
        return str(path)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    monkeypatch.setattr("vit.hub._require_name_service", lambda address: None)

    def put(repo: str, files: dict[str, str]) -> None:
        server[repo] = files

    put.asked = asked  # type: ignore[attr-defined]
    put.server = server  # type: ignore[attr-defined]
    return put


def names(paths: tuple[Path, ...]) -> list[str]:
    return [path.name for path in paths]


def test_a_file_is_downloaded_once_and_then_read_from_the_cache(hub):
    hub("a/b", {"config.json": "{}"})
    first = Repository("a/b").get("config.json")
    assert first is not None
    assert first.read_text() == "{}"
    assert Repository("a/b").get("config.json") == first
    assert hub.asked == [("a/b", "config.json", None)]


def test_all_files_are_of_the_commit_of_the_first(hub):
    hub("a/b", {"config.json": "{}", "model.safetensors": ""})
    repository = Repository("a/b")
    repository.get("config.json")
    repository.weights()
    assert hub.asked == [("a/b", "config.json", None), ("a/b", "model.safetensors", COMMIT)]


def test_a_revision_is_passed_on(hub):
    hub("a/b", {"config.json": "{}"})
    Repository("a/b", "v1").get("config.json")
    assert hub.asked == [("a/b", "config.json", "v1")]


def test_a_file_that_the_repository_lacks_is_none(hub):
    hub("a/b", {"config.json": "{}"})
    assert Repository("a/b").get("preprocessor_config.json") is None


def test_weights_whole_in_parts_or_of_pytorch(hub):
    index = json.dumps(
        {"weight_map": {"x": "model-2.safetensors", "y": "model-1.safetensors", "z": "model-1.safetensors"}}
    )
    parts = {"model-1.safetensors": "", "model-2.safetensors": ""}
    hub("a/whole", {"model.safetensors": "", "pytorch_model.bin": ""})
    hub("a/parts", {"model.safetensors.index.json": index, **parts, "pytorch_model.bin": ""})
    hub("a/pickled", {"pytorch_model.bin": ""})
    hub("a/none", {"README.md": ""})
    hub("a/lacking", {"model.safetensors.index.json": index, "model-1.safetensors": ""})
    assert names(Repository("a/whole").weights()) == ["model.safetensors"]
    assert names(Repository("a/parts").weights()) == ["model-1.safetensors", "model-2.safetensors"]
    assert names(Repository("a/pickled").weights()) == ["pytorch_model.bin"]
    with pytest.raises(ValueError, match=r"a/none on the hub has no model\.safetensors"):
        Repository("a/none").weights()
    with pytest.raises(ValueError, match="lacks some of the parts"):
        Repository("a/lacking").weights()


def test_is_local_only_when_everything_is_there(hub):
    index = json.dumps({"weight_map": {"x": "model-1.safetensors", "y": "model-2.safetensors"}})
    hub(
        "a/b",
        {
            "config.json": "{}",
            "model.safetensors.index.json": index,
            "model-1.safetensors": "",
            "model-2.safetensors": "",
        },
    )
    repository = Repository("a/b")
    assert not repository.is_local()
    for file in ("config.json", "model.safetensors.index.json", "model-1.safetensors"):
        repository.get(file)
        assert not Repository("a/b").is_local()
    repository.get("model-2.safetensors")
    assert Repository("a/b").is_local()
    assert ("a/b", "model.safetensors", COMMIT) not in hub.asked  # asking what is local asks nobody


@pytest.mark.parametrize(
    ("raised", "kind", "sentence"),
    [
        (errors.LocalEntryNotFoundError("x"), Unreachable, "not on this computer"),
        (errors.OfflineModeIsEnabled("x"), Unreachable, "not on this computer"),
        (ConnectionRefusedError("refused"), Unreachable, "cannot be reached"),
        (TimeoutError(), Unreachable, "cannot be reached"),
        (
            errors.GatedRepoError("x", response=RESPONSE),
            ValueError,
            "permission",
        ),
        (
            errors.RepositoryNotFoundError("x", response=RESPONSE),
            ValueError,
            "no public model",
        ),
        (
            errors.RevisionNotFoundError("x", response=RESPONSE),
            ValueError,
            "no such revision",
        ),
    ],
)
def test_what_goes_wrong_becomes_a_sentence(hub, monkeypatch, raised, kind, sentence):
    def fail(*args, **kwargs):
        raise raised

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fail)
    monkeypatch.setattr("vit.hub._require_name_service", lambda address: None)
    with pytest.raises(ValueError, match=sentence) as caught:
        Repository("a/b").get("config.json")
    assert type(caught.value) is kind
    assert "a/b" in str(caught.value)


def test_the_real_library_says_that_it_is_offline(tmp_path, monkeypatch):
    """Not a stand-in: the library itself, in offline mode (set for all tests), with an empty cache."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(Unreachable, match="cannot be reached"):
        Repository("facebook/dinov2-small").get("config.json")
    with pytest.raises(ValueError, match="not a name"):
        Repository("a--b/..c").get("config.json")


def test_folder_weights(tmp_path):
    with pytest.raises(ValueError, match="contains no model"):
        folder_weights(tmp_path)
    for name in ("pytorch_model.bin", "model-10.safetensors", "model-0.safetensors"):
        (tmp_path / name).touch()
    assert names(folder_weights(tmp_path)) == ["model-0.safetensors", "model-10.safetensors"]
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"x": "model-10.safetensors"}}))
    assert names(folder_weights(tmp_path)) == ["model-10.safetensors"]
    (tmp_path / "model.safetensors").touch()
    assert names(folder_weights(tmp_path)) == ["model.safetensors"]


@pytest.mark.parametrize("names", [["../secret.safetensors"], ["/etc/passwd"], []])
def test_an_index_cannot_point_elsewhere(tmp_path, names):
    index = {"weight_map": {str(i): name for i, name in enumerate(names)}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ValueError, match=r"outside its own folder|lists no files"):
        folder_weights(tmp_path)


def test_torchvision_is_checked_against_the_hash_in_its_name(tmp_path, monkeypatch):
    """Downloads by torch itself, from a file on disk: a matching hash is kept, another one leaves nothing behind."""
    import torch

    import vit.hub

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "torch"))
    (tmp_path / "server").mkdir()
    monkeypatch.setattr(vit.hub, "_TORCHVISION", (tmp_path / "server").as_uri() + "/")
    good = "vit-ba7816bf.pth"  # SHA-256 of "abc" starts so
    for name in (good, "vit-00000000.pth"):
        (tmp_path / "server" / name).write_bytes(b"abc")
    assert torchvision_weights(good) == (torchvision_path(good),)
    assert torchvision_path(good).read_bytes() == b"abc"
    with pytest.raises(Unreachable, match="its download failed"):
        torchvision_weights("vit-00000000.pth")
    with pytest.raises(Unreachable, match="its download failed"):
        torchvision_weights("vit-11111111.pth")
    assert [p.name for p in torchvision_path(good).parent.iterdir()] == [good]
    (tmp_path / "server" / good).unlink()
    assert torchvision_weights(good) == (torchvision_path(good),)  # once here, nobody is asked


def test_without_a_name_service_the_sentence_comes_at_once(monkeypatch):
    def nobody(host, port):
        raise OSError("Name or service not known")

    def never(*args, **kwargs):
        pytest.fail("the hub's library was asked although its address cannot be looked up")

    monkeypatch.setattr("vit.hub.getproxies", dict)
    monkeypatch.setattr("vit.hub.socket.getaddrinfo", nobody)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", never)
    with pytest.raises(Unreachable, match="cannot be reached"):
        Repository("somebody/nothing-on-disk").get("config.json")


def test_behind_a_proxy_the_look_up_is_the_proxys_affair(monkeypatch):
    monkeypatch.setattr("vit.hub.getproxies", lambda: {"https": "http://proxy"})
    monkeypatch.setattr("vit.hub.socket.getaddrinfo", lambda *_: pytest.fail("looked up"))
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda *_, **__: (_ for _ in ()).throw(OSError("down")))
    with pytest.raises(Unreachable):
        Repository("somebody/nothing-on-disk").get("config.json")
