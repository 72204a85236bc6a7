import dataclasses
import re

import pytest
import torch

from vit.config import ViTConfig
from vit.model import ViT
from vit.summary import summary


def tiny(**options) -> ViTConfig:
    small = ViTConfig(image_size=32, width=48, depth=2, heads=3, hidden=96, classes=7)
    return dataclasses.replace(small, **options)


MODELS = {
    "plain": {},
    "not square": {"image_size": (32, 48)},
    "registers": {"registers": 4},
    "two heads": {"distillation_token": True, "readout": "class_distillation"},
    "no class token": {"class_token": False, "readout": "mean"},
    "mean, then norm": {"readout": "mean", "head_norm": "pooled"},
    "no final norm": {"readout": "mean", "head_norm": "none"},
    "class and mean": {"readout": "class_mean"},
    "headless": {"classes": 0},
    "no biases": {"qkv_bias": False, "patch_bias": False},
    "all the rest": {"layer_scale": 0.1, "mlp": "swiglu", "norm_before_blocks": True, "positions": "sincos_2d"},
}


def rows(text: str) -> list[tuple[str, list[int], int]]:
    """Name, shape and parameters of each row."""
    found = re.findall(r"^ *(\w+)-(\d+) +\[([-\d, ]+)\] +([\d,]+)$", text, flags=re.MULTILINE)
    assert [int(index) for _, index, _, _ in found] == list(range(1, len(found) + 1))
    return [(name, [int(n) for n in shape.split(", ")], int(count.replace(",", ""))) for name, _, shape, count in found]


def total(text: str, label: str) -> int:
    return int(re.search(rf"^{label}: ([\d,]+)$", text, flags=re.MULTILINE)[1].replace(",", ""))  # pyright: ignore[reportOptionalSubscript]


def test_vit_b_16():
    with torch.device("meta"):  # shapes alone: drawing 86 million random numbers takes seconds
        text = summary(ViT())
    assert rows(text)[:4] == [
        ("Conv2d", [-1, 768, 14, 14], 16 * 16 * 3 * 768 + 768),
        ("PatchEmbedding", [-1, 197, 768], 768 + 197 * 768),
        ("LayerNorm", [-1, 197, 768], 2 * 768),
        ("MultiHeadSelfAttention", [-1, 197, 768], 4 * (768 * 768 + 768)),
    ]
    assert rows(text)[-2:] == [("Linear", [-1, 1000], 769_000), ("ClassificationHead", [-1, 1000], 0)]
    assert "Total params: 86,567,656" in text
    assert "Input size (MB): 0.57" in text  # 3 * 224 * 224 * 4 bytes
    assert "Params size (MB): 330.23" in text  # 86,567,656 * 4 bytes


@pytest.mark.parametrize("options", MODELS.values(), ids=MODELS.keys())
def test_every_parameter_is_counted_once(options):
    model = ViT(tiny(**options))
    text = summary(model)
    count = sum(p.numel() for p in model.parameters())
    assert sum(row[2] for row in rows(text)) == count == total(text, "Total params")
    assert total(text, "Trainable params") == count
    assert total(text, "Non-trainable params") == 0


def test_frozen_parts():
    model = ViT(tiny())
    before = summary(model)
    model.encoder_blocks.requires_grad_(False)
    text = summary(model)
    frozen = sum(p.numel() for p in model.encoder_blocks.parameters())
    assert total(text, "Non-trainable params") == frozen > 0
    assert total(text, "Trainable params") + frozen == total(text, "Total params") == total(before, "Total params")
    assert rows(text) == rows(before)


@pytest.mark.parametrize("options", MODELS.values(), ids=MODELS.keys())
def test_columns_are_aligned(options):
    lines = summary(ViT(tiny(**options))).splitlines()
    end = next(i for i, line in enumerate(lines) if i > 2 and set(line) == {"="})
    assert {len(line) for line in lines[:end]} == {len(lines[0])}
    edge = lines[1].index("Output Shape") + len("Output Shape")
    assert all(line[edge - 1] == "]" and line[edge] == " " for line in lines[3:end])


@pytest.mark.parametrize("options", MODELS.values(), ids=MODELS.keys())
def test_shapes_are_those_of_a_real_run(options):
    """Against what `trace` returns for a batch of two."""
    model = ViT(tiny(**options)).eval()
    output = model.trace(torch.randn(2, 3, *model.config.size))
    table = rows(summary(model))
    grid = model.patch_embedding.grid
    assert table[0][:2] == ("Conv2d", [-1, 48, *grid])
    tokens = [-1, *output.tokens[0].shape[1:]]
    assert tokens[1] == model.config.prefix + grid[0] * grid[1]
    assert table[1][:2] == ("PatchEmbedding", tokens)
    blocks = [row for row in table if row[0] == "TransformerEncoderBlock"]
    assert [shape for _, shape, _ in blocks] == [[-1, *x.shape[1:]] for x in output.tokens[1:]]
    if output.logits is None:
        assert table[-1][0] == "LayerNorm"
    else:
        assert table[-1][:2] == ("ClassificationHead", [-1, *output.logits.shape[1:]])


def rows_of_head(**options) -> list[tuple[str, list[int], int]]:
    table = rows(summary(ViT(tiny(**options))))
    last = max(i for i, row in enumerate(table) if row[0] == "TransformerEncoderBlock")
    return table[last + 1 :]


def test_rows_of_the_head():
    """What is normalised depends on the read-out: the class token, all tokens, or their mean. Counts by hand."""
    linear = ("Linear", [-1, 7], 48 * 7 + 7)
    head = ("ClassificationHead", [-1, 7], 0)
    assert rows_of_head() == [("LayerNorm", [-1, 48], 96), linear, head]
    assert rows_of_head(classes=0) == [("LayerNorm", [-1, 5, 48], 96)]
    assert rows_of_head(readout="mean") == [("LayerNorm", [-1, 5, 48], 96), linear, head]
    assert rows_of_head(readout="mean", head_norm="pooled") == [("LayerNorm", [-1, 48], 96), linear, head]
    assert rows_of_head(readout="mean", head_norm="none") == [linear, head]
    wide = ("Linear", [-1, 7], 2 * 48 * 7 + 7)
    assert rows_of_head(readout="class_mean") == [("LayerNorm", [-1, 5, 48], 96), wide, head]
    two = rows_of_head(readout="class_distillation", distillation_token=True)
    assert two == [("LayerNorm", [-1, 6, 48], 96), linear, linear, head]


def test_own_parameters_stand_on_the_part_that_holds_them():
    table = rows(summary(ViT(tiny(registers=4, layer_scale=0.1))))
    assert table[1] == (
        "PatchEmbedding",
        [-1, 9, 48],
        (1 + 4) * 48 + (1 + 4) * 48,
    )  # tokens; positions without registers
    assert [count for name, _, count in table if name == "ResidualConnection"] == [48] * 4


def test_leaves_the_model_and_the_random_numbers_alone():
    model = ViT(tiny(dropout=0.5)).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = torch.get_rng_state()
    summary(model)
    assert model.training
    assert torch.equal(torch.get_rng_state(), state)
    assert all(p.grad is None and p.device.type == "cpu" for p in model.parameters())
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_half_precision_halves_the_sizes():
    model = ViT(tiny(image_size=512)).half()
    text = summary(model)
    assert "Input size (MB): 1.50" in text  # 3 * 512 * 512 * 2 bytes
    assert f"Params size (MB): {sum(p.numel() for p in model.parameters()) * 2 / 2**20:.2f}" in text
