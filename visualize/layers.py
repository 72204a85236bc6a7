"""Layer by layer: what the head would say at each depth, what every patch says, and who changed the read-out token."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from visualize.tokens import read_out_row, to_grid
from vit.config import ViTConfig
from vit.model import ViT, ViTOutput


def layer_probabilities(model: ViT, output: ViTOutput) -> Tensor:
    """softmax(head(x_l)) for every layer l: [depth B classes]; the last is the model's own answer, exactly.

    Earlier layers are a probe: the head was trained on the last layer only. Raises ValueError without a head.
    Source: nostalgebraist 2020, "interpreting GPT: the logit lens".
    """
    return model.layer_logits(output).softmax(dim=-1)


@dataclass(frozen=True)
class Course:
    """How an answer came about. Layers count from 0."""

    leaders: tuple[int, ...]  # the most probable class at each layer
    first: int  # the first layer at which the final answer leads
    settled: int  # the layer from which on it leads without a break
    flips: tuple[int, ...]  # layers whose leader is another than that of the layer before


def course(probabilities: Tensor) -> Course:
    """The course of one image's answer from its probabilities [depth classes]. Raises ValueError for another shape."""
    if probabilities.ndim != 2 or 0 in probabilities.shape:
        raise ValueError(f"Expected probabilities [depth classes], got {list(probabilities.shape)}.")
    leaders = probabilities.argmax(dim=-1).tolist()
    flips = tuple(layer for layer in range(1, len(leaders)) if leaders[layer] != leaders[layer - 1])
    return Course(tuple(leaders), leaders.index(leaders[-1]), flips[-1] if flips else 0, flips)


def _read(tokens: Tensor, config: ViTConfig) -> Tensor:
    """The state that the head reads, before any norm: [B token width] to [B width], [B 2·width] for "class_mean"."""
    if config.readout == "class_mean" and config.classes:
        return torch.cat([tokens[:, 0], tokens[:, config.prefix :].mean(dim=1)], dim=-1)
    return read_out_row(tokens, config)


def read_out_states(model: ViT, output: ViTOutput) -> Tensor:
    """The read-out token after the embedding and after each layer, before the final norm: [depth+1 B width].

    The class token; the mean of class and distillation token with two heads; the mean over patches with mean pooling;
    class token and mean side by side (2·width numbers) where the head reads both.
    """
    return torch.stack([_read(x, model.config) for x in output.tokens])


def read_out_cosine(model: ViT, output: ViTOutput) -> Tensor:
    """Cosine of the read-out token with its final state: [depth+1 B], the embedding first; the last is 1.

    No unit; 0 is unrelated, 1 the same direction.
    """
    states = read_out_states(model, output).float()
    return F.cosine_similarity(states, states[-1:].expand_as(states), dim=-1)


def _attention_update(model: ViT, output: ViTOutput, layer: int) -> Tensor:
    """What attention added to the read-out token in one layer: [B width], or [B 2·width] for "class_mean".

    Attention is linear in the values, and so are the values in the tokens: the one row that is read is applied to the
    tokens first, which spares the values of all others. Rows sum to 1, so the values' bias passes unchanged.
    """
    block, c, A = model.blocks[layer], model.config, output.attentions[layer]
    both = c.readout == "class_mean" and c.classes > 0
    rows = [A[:, :, 0], A[:, :, c.prefix :].mean(dim=2)] if both else [read_out_row(A, c)]  # each [B head key]
    seen = block.residual1.norm(output.tokens[layer])  # [B N D]
    size = c.width // c.heads
    weight = block.self_attn.qkv.weight[2 * c.width :].reshape(c.heads, size, c.width)
    bias = None if block.self_attn.qkv.bias is None else block.self_attn.qkv.bias[2 * c.width :]
    parts = []
    for row in rows:
        values = torch.einsum("bhw,hdw->bhd", row @ seen, weight).flatten(1)  # [B D]
        update = block.self_attn.proj(values if bias is None else values + bias)
        parts.append(update if block.residual1.scale is None else update * block.residual1.scale)
    return torch.cat(parts, dim=-1)


def update_lengths(model: ViT, output: ViTOutput) -> tuple[Tensor, Tensor]:
    """Lengths of what attention and of what the MLP added to the read-out token in each layer: [depth B] each.

    In the units of the token's numbers. What the MLP added is the layer's whole change less what attention added.
    """
    states = read_out_states(model, output)
    attention = torch.stack([_attention_update(model, output, layer) for layer in range(model.config.depth)])
    mlp = states[1:] - states[:-1] - attention
    return attention.float().norm(dim=-1), mlp.float().norm(dim=-1)


def update_shares(model: ViT, output: ViTOutput) -> Tensor:
    """Attention's share of each layer's change of the read-out token: ‖a‖ / (‖a‖ + ‖m‖), [depth B]; 1 − it is the
    MLP's. ½ where nothing changed."""
    attention, mlp = update_lengths(model, output)
    whole = attention + mlp
    return torch.where(whole > 0, attention / whole.where(whole > 0, torch.ones_like(whole)), whole + 0.5)


@dataclass(frozen=True, eq=False)
class PatchPredictions:
    """The head applied to every patch of every layer."""

    best: Tensor  # [depth B rows cols], the patch's own most probable class
    probability: Tensor  # [depth B rows cols], of that class
    maps: Tensor  # [depth B chosen rows cols], probability of each chosen class


def patch_predictions(model: ViT, output: ViTOutput, classes: Sequence[int] = ()) -> PatchPredictions:
    """What each patch says by itself at each layer, and where it says each of the chosen `classes`.

    This is what the annotated text's [1, 197, 1000] output holds. Raises ValueError without a head, for a head that
    reads class token and mean together (single tokens have no logits there), and for classes that do not exist.
    """
    c = model.config
    if not c.classes:
        raise ValueError("This model has no classification head: its patches have no class.")
    if c.readout == "class_mean":
        raise ValueError(
            "This head reads the class token and the patches' mean together: single patches have no class of their own."
        )
    if not all(0 <= index < c.classes for index in classes):
        raise ValueError(f"Classes must lie between 0 and {c.classes - 1}, got {list(classes)}.")
    columns = torch.tensor(list(classes), dtype=torch.long, device=output.tokens[-1].device)
    best, own, maps = [], [], []
    for x in output.tokens[1:]:
        logits = model.classification_head(x[:, output.prefix :])  # [B patches classes]
        top = logits.max(dim=-1)
        powers = (logits - top.values[..., None]).exp()  # the largest is 1, so its probability is 1 / sum
        probability = 1 / powers.sum(dim=-1)
        best.append(top.indices)
        own.append(probability)
        maps.append((powers[..., columns] * probability[..., None]).transpose(1, 2))  # [B chosen patches]
    shaped = [to_grid(torch.stack(values), output.grid, 0) for values in (best, own, maps)]
    return PatchPredictions(*shaped)
