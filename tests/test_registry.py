"""Every entry of the registry against a reference of the same shape, built without memory on the meta device."""

from typing import Any

import pytest
import torch

from vit.convert import convert
from vit.preprocess import Preprocess
from vit.registry import EMBEDDED, REGISTRY, Checkpoint

NAMES = {source: [n for n, c in REGISTRY.items() if c.source == source] for source in ("timm", "transformers")}
TORCHVISION = [n for n, c in REGISTRY.items() if c.source == "torchvision"]


def transformers_reference(c: Checkpoint) -> torch.nn.Module:
    """The model class that the checkpoint's page names, with the sizes of its config.json."""
    import transformers as t

    common: dict[str, Any] = {
        "hidden_size": c.width,
        "num_hidden_layers": c.depth,
        "num_attention_heads": c.heads,
        "intermediate_size": 4 * c.width,
        "patch_size": c.patch,
        "num_labels": c.classes,
    }
    with torch.device("meta"):
        if "with-registers" in c.name:
            config = t.Dinov2WithRegistersConfig(**common, image_size=518, num_register_tokens=4)
            return (t.Dinov2WithRegistersForImageClassification if c.classes else t.Dinov2WithRegistersModel)(config)
        if "dinov2" in c.name:
            config = t.Dinov2Config(**common, image_size=518)
            return (t.Dinov2ForImageClassification if c.classes else t.Dinov2Model)(config)
        if "distilled" in c.name:
            return t.DeiTForImageClassificationWithTeacher(t.DeiTConfig(**common))
        if "mae" in c.name:
            return t.ViTMAEModel(t.ViTMAEConfig(**common))
        config = t.ViTConfig(**common)
        return t.ViTForImageClassification(config) if c.classes else t.ViTModel(config, add_pooling_layer=False)


def numbers(module: torch.nn.Module, without: tuple[str, ...] = ()) -> int:
    return sum(p.numel() for name, p in module.named_parameters() if not name.endswith(without or ("\0",)))


def converts(c: Checkpoint, model: torch.nn.Module, image_size: int | tuple[int, int]) -> None:
    """The reference's keys and shapes lead to the architecture that the entry promises."""
    known = {"heads": c.heads, "norm_eps": c.norm_eps, "activation": c.activation, "interpolation": c.interpolation}
    converted = convert(model.state_dict(), **known)  # type: ignore[arg-type]
    config = converted.config
    assert (config.patch_size, config.width, config.depth, config.heads) == (c.patch, c.width, c.depth, c.heads)
    assert (config.prefix, config.classes, config.size) == (c.prefix, c.classes, (image_size, image_size))
    assert (config.norm_eps, config.activation, config.interpolation) == (c.norm_eps, c.activation, c.interpolation)
    assert sum(x.numel() for x in converted.state_dict.values()) == c.parameters
    assert convert(model.state_dict(), image_size=image_size, **known).assumed == ()  # type: ignore[arg-type]


def test_the_registry_is_large_unique_and_starts_with_the_embedded_model():
    assert next(iter(REGISTRY)) == EMBEDDED.name == "embedded_small_patch14_224"
    assert len(REGISTRY) >= 25
    assert all(name == c.name for name, c in REGISTRY.items())
    assert {c.source for c in REGISTRY.values()} == {"embedded", "timm", "transformers", "torchvision"}
    assert len({c.repo for c in REGISTRY.values()}) == len(REGISTRY)


@pytest.mark.parametrize("c", REGISTRY.values(), ids=lambda c: c.name)
def test_an_entry_is_complete_and_sensible(c):
    assert c.title
    assert c.licence in ("Apache-2.0", "BSD-3-Clause", "CC-BY-NC-4.0")
    assert c.url.startswith("https://") or c.source == "embedded"
    assert isinstance(c.preprocess, Preprocess)
    assert isinstance(c.image_size, int)
    assert c.image_size % c.patch == 0
    assert c.width % c.heads == 0
    assert c.classes in (0, 1000)
    assert c.bytes == c.parameters * c.bytes_per_number
    assert (c.top1 is None) == (c.top1_page == "")
    if c.top1 is not None:
        assert 0.7 < c.top1 < 0.9
        assert c.top1_page.startswith("https://")


@pytest.mark.parametrize("name", NAMES["timm"])
def test_timm(name):
    import timm

    c = REGISTRY[name]
    with torch.device("meta"):
        model: Any = timm.create_model(c.repo.removeprefix("timm/"))
    block, cfg = model.blocks[0], model.pretrained_cfg
    assert numbers(model) == c.parameters
    assert (model.embed_dim, len(model.blocks), block.attn.num_heads) == (c.width, c.depth, c.heads)
    assert model.patch_embed.patch_size == (c.patch, c.patch)
    assert (model.num_prefix_tokens, model.num_classes) == (c.prefix, c.classes)
    assert block.norm1.eps == c.norm_eps
    assert isinstance(block.mlp.act, torch.nn.GELU)
    assert block.mlp.act.approximate == "none"
    assert cfg["input_size"] == (3, c.image_size, c.image_size)
    assert cfg["crop_mode"] == "center"
    assert c.preprocess == Preprocess(
        cfg["input_size"][-1], cfg["crop_pct"], cfg["interpolation"], cfg["mean"], cfg["std"]
    )
    assert cfg["license"].casefold() == c.licence.casefold()
    converts(c, model, c.image_size)
    # A name without a tag means to timm what it means here.
    asked = timm.models.get_pretrained_cfg(name)
    assert asked is not None
    assert f"timm/{asked.architecture}.{asked.tag}" == c.repo


@pytest.mark.parametrize("name", NAMES["transformers"])
def test_transformers(name):
    c = REGISTRY[name]
    model: Any = transformers_reference(c)
    assert numbers(model, ("mask_token",)) == c.parameters
    config = model.config
    assert (config.hidden_size, config.num_hidden_layers, config.num_attention_heads) == (c.width, c.depth, c.heads)
    assert config.layer_norm_eps == c.norm_eps
    assert config.hidden_act == c.activation
    registers = getattr(config, "num_register_tokens", 0)
    assert c.prefix == 1 + registers + (config.model_type == "deit")
    converts(c, model, config.image_size)


@pytest.mark.parametrize("name", TORCHVISION)
def test_torchvision(name):
    import torchvision

    c = REGISTRY[name]
    builder, weights_name = c.repo.split("/")
    weights = torchvision.models.get_model_weights(builder)[weights_name]
    with torch.device("meta"):
        model: Any = torchvision.models.get_model(builder)
    block = model.encoder.layers[0]
    assert numbers(model) == c.parameters == weights.meta["num_params"]
    assert (model.hidden_dim, len(model.encoder.layers), block.num_heads) == (c.width, c.depth, c.heads)
    assert (model.patch_size, model.image_size) == (c.patch, c.image_size)
    assert block.ln_1.eps == c.norm_eps
    converts(c, model, c.image_size)
    assert weights.url.endswith(f"/{c.file}")
    assert weights.meta["_metrics"]["ImageNet-1K"]["acc@1"] == pytest.approx(100 * (c.top1 or 0))
    transform = weights.transforms()
    assert transform.crop_size == [c.image_size]
    resize = transform.resize_size[0]
    assert c.preprocess == Preprocess(
        c.image_size,
        c.image_size / resize,
        transform.interpolation.value,
        tuple(transform.mean),
        tuple(transform.std),
    )
