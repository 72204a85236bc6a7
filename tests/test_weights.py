import hashlib
import pickle
import warnings

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from vit.weights import read_weights, sha256

TENSORS = {"a.weight": torch.arange(6.0).reshape(2, 3), "b": torch.tensor([1, 2])}


def same(read: dict) -> bool:
    return read.keys() == TENSORS.keys() and all(torch.equal(read[name], TENSORS[name]) for name in TENSORS)


def test_safetensors(tmp_path):
    save_file(TENSORS, tmp_path / "m.safetensors")
    assert same(read_weights([tmp_path / "m.safetensors"]))


def test_parts_are_put_together_and_a_name_may_occur_once(tmp_path):
    for name, value in TENSORS.items():
        save_file({name: value}, tmp_path / f"{name}.safetensors")
    files = [tmp_path / f"{name}.safetensors" for name in TENSORS]
    assert same(read_weights(files))
    with pytest.raises(ValueError, match=r"^b occurs in more than one"):
        read_weights([*files, files[1]])


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".bin"])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda t: t,
        lambda t: {"state_dict": t, "epoch": 3},
        lambda t: {"model": t, "optimizer": {"state": {}}},
        lambda t: {"student": {"c": torch.ones(1)}, "teacher": t},
        lambda t: {"model": {"state_dict": t}},
    ],
)
def test_pytorch_files_bare_or_wrapped(tmp_path, suffix, wrap):
    torch.save(wrap(TENSORS), tmp_path / f"m{suffix}")
    assert same(read_weights([tmp_path / f"m{suffix}"]))


def test_npz(tmp_path):
    np.savez(tmp_path / "m.npz", **{name: value.numpy() for name, value in TENSORS.items()})  # type: ignore[arg-type]
    assert same(read_weights([tmp_path / "m.npz"]))


class Payload:
    """Unpickling this would create a file."""

    def __init__(self, target):
        self.target = str(target)

    def __reduce__(self):
        return open, (self.target, "w")


@pytest.mark.parametrize("suffix", [".pth", ".bin", ".pt"])
@pytest.mark.parametrize("how", ["torch", "pickle"])
def test_a_pickle_is_refused_and_never_run(tmp_path, suffix, how):
    file, target = tmp_path / f"m{suffix}", tmp_path / "run"
    if how == "torch":
        torch.save({"a": Payload(target)}, file)
    else:
        file.write_bytes(pickle.dumps({"a": Payload(target)}, protocol=2))
    with pytest.raises(ValueError, match="never loaded"):
        read_weights([file])
    assert not target.exists()


def test_pickled_arrays_in_npz_are_refused(tmp_path):
    np.savez(tmp_path / "m.npz", a=np.array([{"x": 1}], dtype=object))
    with pytest.raises(ValueError, match="plain arrays"):
        read_weights([tmp_path / "m.npz"])


@pytest.mark.parametrize("name", ["m.safetensors", "m.pth", "m.npz"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.99])
def test_half_a_file_gets_a_sentence(tmp_path, name, share):
    file = tmp_path / name
    large = {"a": torch.randn(100, 100)}
    if name.endswith("safetensors"):
        save_file(large, file)
    elif name.endswith("pth"):
        torch.save(large, file)
    else:
        np.savez(file, a=large["a"].numpy())
    file.write_bytes(file.read_bytes()[: int(share * file.stat().st_size)])
    with pytest.raises(ValueError, match=rf"^{name} is (damaged|not a plain)"):
        read_weights([file])


@pytest.mark.parametrize("name", ["m.safetensors", "m.pth", "m.bin", "m.npz"])
def test_a_pdf_under_another_name_gets_a_sentence(tmp_path, name):
    (tmp_path / name).write_bytes(b"%PDF-1.7\n" + b"1 0 obj <<>> endobj\n" * 50)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ValueError, match=rf"^{name} is (damaged|not a plain)"):
            read_weights([tmp_path / name])


def test_other_files_and_missing_files_get_a_sentence(tmp_path):
    (tmp_path / "paper.pdf").write_bytes(b"%PDF-1.7")
    with pytest.raises(ValueError, match=r"^paper\.pdf is not a file of weights that can be read; \.safetensors"):
        read_weights([tmp_path / "paper.pdf"])
    with pytest.raises(ValueError, match="There is no file"):
        read_weights([tmp_path / "none.pth"])


@pytest.mark.parametrize("content", [torch.ones(3), [torch.ones(3)], {"epoch": 3}, {}])
def test_a_pytorch_file_without_named_weights_gets_a_sentence(tmp_path, content):
    torch.save(content, tmp_path / "m.pth")
    with pytest.raises(ValueError, match=r"contains no weights"):
        read_weights([tmp_path / "m.pth"])


def test_sha256_is_over_the_files_in_order(tmp_path):
    parts = [tmp_path / "0", tmp_path / "1"]
    parts[0].write_bytes(b"ab")
    parts[1].write_bytes(b"c")
    assert sha256(parts) == hashlib.sha256(b"abc").hexdigest()
    assert sha256(parts[::-1]) == hashlib.sha256(b"cab").hexdigest()
