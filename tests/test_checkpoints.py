import hashlib
import json
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import ROOT
from safetensors.torch import save_file

import vit.checkpoints as checkpoints
from vit.checkpoints import available, checkpoint, is_local, load
from vit.hub import Unreachable
from vit.images import open_image
from vit.labels import imagenet
from vit.preprocess import HALF, Preprocess
from vit.registry import EMBEDDED, REGISTRY

CFG = {
    "input_size": [3, 32, 32],
    "interpolation": "bilinear",
    "crop_pct": 0.9,
    "crop_mode": "center",
    "mean": [0.5, 0.5, 0.5],
    "std": [0.5, 0.5, 0.5],
    "license": "mit",
}


def randomise(model: torch.nn.Module) -> torch.nn.Module:
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.2)
    return model.eval()


@pytest.fixture(scope="module")
def small() -> torch.nn.Module:
    """A timm model with three heads of 16 and five classes: its heads cannot be told from its keys."""
    import timm

    torch.manual_seed(0)
    sizes: dict[str, Any] = {"img_size": 32, "patch_size": 8, "embed_dim": 48, "depth": 2, "num_heads": 3}
    return randomise(timm.create_model("vit_tiny_patch16_224", **sizes, num_classes=5))


@pytest.fixture
def folder(small, tmp_path) -> Path:
    """That model as a folder in the form that timm uses on the hub."""
    config = {"architecture": "vit_tiny_patch16_224", "model_args": {"num_heads": 3}, "pretrained_cfg": CFG}
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text(json.dumps(config))
    save_file(small.state_dict(), tmp_path / "model" / "model.safetensors")
    return tmp_path / "model"


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a connection was attempted")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def same_logits(pretrained, reference: torch.nn.Module, size: int = 32) -> None:
    pixels = torch.randn(2, 3, size, size)
    with torch.no_grad():
        expected = reference(pixels)
        expected = getattr(expected, "logits", expected)
        torch.testing.assert_close(pretrained.model(pixels), expected, rtol=1e-4, atol=1e-5)


# The embedded model


def test_available_starts_with_the_embedded_model():
    assert available() == list(REGISTRY)
    assert available()[0] == "embedded_small_patch14_224"


def test_the_embedded_model_loads_without_a_network(no_network):
    pretrained = load(available()[0])
    assert is_local(available()[0])
    assert not pretrained.model.training
    assert {p.dtype for p in pretrained.model.parameters()} == {torch.float32}
    assert sum(p.numel() for p in pretrained.model.parameters()) == 22_013_800
    config = pretrained.model.config
    assert (config.patch_size, config.width, config.depth, config.heads, config.classes) == (14, 384, 12, 6, 1000)
    assert (config.norm_eps, config.activation, config.grid) == (1e-6, "gelu", (16, 16))
    assert pretrained.labels == imagenet()
    assert pretrained.preprocess == Preprocess(224, 1.0, "bicubic")
    assert pretrained.checkpoint == EMBEDDED  # config.json and the registry say the same, and nothing is assumed


def test_the_embedded_model_loads_within_two_seconds():
    """Processor time, which other programs on the machine do not stretch."""
    start = time.process_time()
    load(available()[0])
    assert time.process_time() - start < 2


def test_weights_loaded_in_inference_mode_can_be_differentiated_through(folder):
    with torch.inference_mode():
        model = load(folder).model
    assert not any(parameter.is_inference() for parameter in model.parameters())
    pixels = torch.zeros(1, 3, 32, 32, requires_grad=True)
    model(pixels).sum().backward()
    assert pixels.grad is not None


def test_the_embedded_model_sees_a_cat():
    pretrained = load(available()[0])
    prepared = pretrained.preprocess(open_image(ROOT / "assets" / "examples" / "cat.jpg"))
    with torch.no_grad():
        best = pretrained.model(prepared.pixels)[0].topk(5).indices.tolist()
    assert any(281 <= index <= 285 for index in best)  # ImageNet's five domestic cats


def test_sha256_is_that_of_the_files():
    pretrained = load(available()[0])
    parts = sorted((ROOT / "assets" / "embedded").glob("*.safetensors"))
    assert pretrained.sha256 == hashlib.sha256(b"".join(part.read_bytes() for part in parts)).hexdigest()


def test_several_threads_may_load_at_once(folder, small):
    loaded = []
    threads = [threading.Thread(target=lambda: loaded.append(load(folder))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(pretrained.model) for pretrained in loaded}) == 4
    for pretrained in loaded:
        same_logits(pretrained, small)


# Files and folders


def test_a_folder_in_timms_form(folder, small):
    pretrained = load(folder)
    same_logits(pretrained, small)
    assert pretrained.preprocess == Preprocess(32, 0.9, "bilinear", HALF, HALF)
    assert pretrained.labels == tuple(f"class {i}" for i in range(5))
    c = pretrained.checkpoint
    assert (c.source, c.licence, c.patch, c.width, c.depth, c.heads, c.prefix) == ("file", "mit", 8, 48, 2, 3, 1)
    assert c.parameters == sum(p.numel() for p in small.parameters())
    assert c.assumed == ()
    assert is_local(folder)
    assert is_local(str(folder))


def test_a_folder_in_parts(folder, small):
    whole = small.state_dict()
    (folder / "model.safetensors").unlink()
    for i, name in enumerate(whole):
        save_file({name: whole[name]}, folder / f"model-{i}.safetensors")
    same_logits(load(folder), small)
    (folder / f"model-{len(whole) - 1}.safetensors").unlink()
    with pytest.raises(ValueError, match=r"[Mm]issing.*bias"):
        load(folder)


@pytest.mark.parametrize("where", ["global_pool", "model_args"])
def test_a_config_that_averages_the_patches_is_believed_beside_a_class_token(folder, where):
    """timm's global_pool="avg" without fc_norm has the very keys of a model that reads its class token."""
    import timm

    sizes: dict[str, Any] = {"img_size": 32, "patch_size": 8, "embed_dim": 48, "depth": 2, "num_heads": 3}
    pool: dict[str, Any] = {"global_pool": "avg", "fc_norm": False}
    reference = randomise(timm.create_model("vit_tiny_patch16_224", **sizes, **pool, num_classes=5))
    save_file(reference.state_dict(), folder / "model.safetensors")
    config = json.loads((folder / "config.json").read_text())
    if where == "model_args":
        config["model_args"] |= pool
    else:
        config |= {"global_pool": "avg"}
    (folder / "config.json").write_text(json.dumps(config))
    pretrained = load(folder)
    assert pretrained.model.config.readout == "mean"
    same_logits(pretrained, reference)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth", ".bin"])
def test_a_lone_file_says_what_was_assumed(small, tmp_path, suffix):
    """Without settings the heads of this model cannot be known: one of width 48 is taken, and said."""
    path = tmp_path / f"mine{suffix}"
    (save_file if suffix == ".safetensors" else torch.save)(small.state_dict(), path)
    pretrained = load(str(path))
    said = " ".join(pretrained.checkpoint.assumed)
    assert f"{pretrained.model.config.heads} head" in said
    for word in ("Preprocessing", "epsilon 1e-06", "activation gelu", "antialias"):
        assert word in said
    assert pretrained.preprocess.size == 32
    assert pretrained.checkpoint.source == "file"


def test_a_lone_file_under_a_registered_name_uses_what_is_known(weights):
    pretrained = load(weights / "deit_tiny_patch16_224.safetensors")
    assert pretrained.preprocess == REGISTRY["deit_tiny_patch16_224"].preprocess
    assert pretrained.checkpoint.heads == 3
    assert pretrained.checkpoint.source == "file"
    assert pretrained.labels == imagenet()
    assert "deit_tiny_patch16_224" in pretrained.checkpoint.assumed[0]


def test_half_precision_becomes_single(folder, small):
    save_file({name: value.half() for name, value in small.state_dict().items()}, folder / "model.safetensors")
    assert {p.dtype for p in load(folder).model.parameters()} == {torch.float32}


def test_own_labels(folder):
    assert load(folder, labels=list("abcde")).labels == tuple("abcde")
    assert load(folder, labels=["cat", "Cat", "dog", "eel", "fox"]).labels[:2] == ("cat (0)", "Cat (1)")
    with pytest.raises(ValueError, match="has 5 classes, but 2 class names"):
        load(folder, labels=["cat", "dog"])


def test_labels_of_the_settings(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "label_names": list("vwxyz")}))
    assert load(folder).labels == tuple("vwxyz")


def test_an_input_size_that_the_patches_do_not_fill_is_said(folder):
    config = {"architecture": "vit_tiny_patch16_224", "model_args": {"num_heads": 3}}
    (folder / "config.json").write_text(json.dumps({**config, "pretrained_cfg": {**CFG, "input_size": [3, 37, 37]}}))
    pretrained = load(folder)
    assert pretrained.preprocess.size == 32
    assert "32 × 32" in pretrained.checkpoint.assumed[0]


@pytest.mark.parametrize("kind", ["vit", "dinov2", "dinov2_with_registers"])
def test_a_folder_in_transformers_form(kind, tmp_path):
    """Saved by transformers itself: its settings, its key names of today, its labels."""
    import transformers as t

    sizes: dict[str, Any] = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 3, "patch_size": 8}
    sizes["image_size"] = 32
    labels: dict[str, Any] = {"id2label": {0: "cat", 1: "dog", 2: "eel"}, "label2id": {"cat": 0, "dog": 1, "eel": 2}}
    if kind == "vit":
        model = t.ViTForImageClassification(t.ViTConfig(**sizes, **labels, intermediate_size=96, layer_norm_eps=1e-5))
    elif kind == "dinov2":
        model = t.Dinov2ForImageClassification(t.Dinov2Config(**sizes, **labels, mlp_ratio=2))
    else:
        config = t.Dinov2WithRegistersConfig(**sizes, **labels, mlp_ratio=2, num_register_tokens=2)
        model = t.Dinov2WithRegistersForImageClassification(config)
    randomise(model)
    model.save_pretrained(tmp_path)
    processor = {"size": {"height": 32, "width": 32}, "resample": 2, "image_mean": HALF, "image_std": HALF}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(processor))
    pretrained = load(tmp_path)
    same_logits(pretrained, model)
    assert pretrained.labels == ("cat", "dog", "eel")
    assert pretrained.model.config.heads == 3
    assert pretrained.preprocess == Preprocess(32, 1.0, "bilinear", HALF, HALF, "squash")


# The hub, without a network


@pytest.fixture
def hub(folder, monkeypatch):
    """The download function of the hub, replaced by one that finds every repository in `folder`."""
    import huggingface_hub

    asked = []

    def download(repo: str, file: str, revision: str | None = None) -> str:
        asked.append((repo, file, revision))
        if not (folder / file).is_file():
            raise huggingface_hub.errors.LocalEntryNotFoundError("no network")
        return str(folder / file)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    monkeypatch.setattr("vit.hub._require_name_service", lambda address: None)
    monkeypatch.setattr(checkpoints.Repository, "cached", lambda self, file: None)
    return asked


def test_a_hub_id(hub, small):
    pretrained = load("somebody/their-model@v2")
    same_logits(pretrained, small)
    assert hub[0] == ("somebody/their-model", "config.json", "v2")
    c = pretrained.checkpoint
    assert (c.name, c.source, c.url) == ("somebody/their-model", "timm", "https://huggingface.co/somebody/their-model")


@pytest.mark.parametrize(
    "name", ["deit_tiny_patch16_224", "deit_tiny_patch16_224.fb_in1k", "timm/deit_tiny_patch16_224.fb_in1k"]
)
def test_a_registered_name_and_its_hub_id_are_the_same(hub, name):
    assert load(name).checkpoint.name == "deit_tiny_patch16_224"
    assert {repo for repo, _, _ in hub} == {"timm/deit_tiny_patch16_224.fb_in1k"}
    assert checkpoint(name) is REGISTRY["deit_tiny_patch16_224"]


def test_another_architecture_is_refused_before_its_weights_are_downloaded(hub, folder):
    (folder / "config.json").write_text(json.dumps({"architecture": "swin_tiny", "pretrained_cfg": CFG}))
    with pytest.raises(ValueError, match="only plain Vision Transformers"):
        load("somebody/swin")
    assert [file for _, file, _ in hub] == ["config.json"]


@pytest.mark.parametrize("name", [n for n, c in REGISTRY.items() if c.source != "embedded"])
def test_without_a_network_every_name_says_what_is_on_disk(name, monkeypatch, tmp_path):
    def unreachable(*args):
        raise Unreachable(f"{name} is not here.")

    monkeypatch.setattr(checkpoints.Repository, "get", unreachable)
    monkeypatch.setattr(checkpoints, "torchvision_weights", unreachable)
    monkeypatch.setattr(checkpoints.Repository, "is_local", lambda self: False)
    monkeypatch.setattr(checkpoints, "torchvision_path", lambda file: tmp_path / file)
    assert not is_local(name)
    with pytest.raises(
        ValueError, match=rf"is not here\. Without a network, these models can be used: {EMBEDDED.name}\."
    ):
        load(name)


def test_torchvision_by_name(monkeypatch, tmp_path):
    """The registered file, with a smaller model in it."""
    from torchvision.models import VisionTransformer

    model = randomise(VisionTransformer(32, 8, num_layers=2, num_heads=12, hidden_dim=48, mlp_dim=96, num_classes=1000))
    path = tmp_path / REGISTRY["torchvision/vit_b_16"].file
    torch.save(model.state_dict(), path)
    monkeypatch.setattr(checkpoints, "torchvision_weights", lambda file: (tmp_path / file,))
    monkeypatch.setattr(checkpoints, "torchvision_path", lambda file: tmp_path / file)
    assert is_local("torchvision/vit_b_16")
    assert not is_local("torchvision/vit_b_32")
    pretrained = load("torchvision/vit_b_16")
    same_logits(pretrained, model)
    assert pretrained.labels == imagenet()
    assert pretrained.model.config.interpolation == "corners"


# What cannot be loaded


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("deit_tinny_patch16_224", "deit_tiny_patch16_224"),
        ("embeded_small", "embedded_small_patch14_224"),
        ("torchvision/vit_b_61", "torchvision/vit_b_16"),
        ("vit_base_patch16_224", "vit_base_patch"),
    ],
)
def test_an_unknown_name_is_answered_with_close_ones(name, near):
    with pytest.raises(ValueError, match=rf"^There is no model or file named '{name}'\. Did you mean .*{near}"):
        load(name)


def test_a_name_like_nothing_is_answered_with_where_to_look():
    with pytest.raises(ValueError, match=r"named 'xyz'\. vit\.available\(\) lists"):
        load("xyz")
    with pytest.raises(ValueError, match="named 'xyz'"):
        checkpoint("xyz")
    assert not is_local("xyz")


@pytest.mark.parametrize("name", ["./none", "none.safetensors", "/none/model.pth", Path("none")])
def test_a_missing_path_gets_a_sentence(name):
    assert not is_local(name)
    with pytest.raises(ValueError, match="There is no file"):
        load(name)


def test_the_weights_of_something_else_are_refused(tmp_path):
    from torchvision.models import resnet18

    save_file(resnet18().state_dict(), tmp_path / "resnet.safetensors")
    with pytest.raises(ValueError, match=r"\."):
        load(tmp_path / "resnet.safetensors")


@pytest.mark.network
@pytest.mark.parametrize("name", ["deit_tiny_patch16_224", "facebook/dinov2-small", "facebook/deit-tiny-patch16-224"])
def test_a_real_download(name, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    pretrained = load(name)
    entry = REGISTRY[name]
    assert sum(p.numel() for p in pretrained.model.parameters()) == entry.parameters
    assert pretrained.preprocess == entry.preprocess
    assert is_local(name)
