"""One test for each row of the README's table of corrections: the slip re-enacted in small, then ours without it."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from vit.config import ViTConfig
from vit.model import (
    ClassificationHead,
    MultiHeadSelfAttention,
    PatchEmbedding,
    ResidualConnection,
    TransformerEncoderBlock,
    ViT,
    patchify,
)
from vit.preprocess import Preprocess

TINY = ViTConfig(image_size=32, patch_size=8, width=48, depth=2, heads=3, hidden=96, classes=7)


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Tensors this small are computed faster by one thread than shared out."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def randomised(module: nn.Module) -> nn.Module:
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(std=0.3)
    return module.eval()


class SlippedBlock(nn.Module):
    """The encoder block as annotated: sublayers run on raw tokens, before the residual that should normalise them.

    The residual is handed a function that ignores its argument, so whatever norm and dropout made is thrown away; and
    the attention takes axis 0, which is the batch, for the sequence.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, heads)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        for norm, sublayer in ((self.norm1, lambda y: self.attention(y, y, y)[0]), (self.norm2, self.mlp)):
            done = sublayer(x)
            x = x + (lambda _, done=done: done)(norm(x))
        return x


# --- Row 1: attention is computed before the norm ---


def test_pre_norm():
    """Scaling and shifting a token is undone by its LayerNorm: what the sublayer adds must not depend on it."""
    x = torch.randn(2, 5, 12)
    moved = 7 * x + 3
    slip = randomised(SlippedBlock(12, 3))
    assert not torch.allclose(slip(moved) - moved, slip(x) - x, atol=0.1)

    seen: list[Tensor] = []
    residual = ResidualConnection(12, 0.0)
    for tokens in (x, moved):
        residual(tokens, lambda y: seen.append(y) or y)
        torch.testing.assert_close(seen[-1], F.layer_norm(tokens, (12,), eps=1e-6))
    torch.testing.assert_close(seen[0], seen[1], atol=1e-4, rtol=0)


def test_the_block_normalises_before_both_sublayers():
    """Written out from its parts, the equations 2 and 3 of the paper."""
    block = TransformerEncoderBlock(12, 3, 24, dropout=0.0)
    randomised(block)
    x = torch.randn(2, 5, 12)
    y = block.self_attn(block.residual1.norm(x)) + x
    expected = block.feed_forward(block.residual2.norm(y)) + y
    torch.testing.assert_close(block(x), expected)
    torch.testing.assert_close(block.trace(x)[0], expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(block.trace(x)[1], block.self_attn.trace(block.residual1.norm(x))[1])


def test_every_norm_is_used():
    """In the slip the norms' weights get no gradient, so they would never be learned; in ours all do."""
    slip = randomised(SlippedBlock(12, 3))
    slip(torch.randn(2, 5, 12)).square().sum().backward()
    assert {name for name, p in slip.named_parameters() if p.grad is None} == {
        "norm1.weight",
        "norm1.bias",
        "norm2.weight",
        "norm2.bias",
    }
    block = randomised(TransformerEncoderBlock(12, 3, 24))
    block(torch.randn(2, 5, 12)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in block.parameters())


def test_dropout_is_not_thrown_away():
    """In training a block with dropout answers differently each time; in the slip it cannot, having used none."""
    slip = randomised(SlippedBlock(12, 3)).train()
    x = torch.randn(2, 5, 12)
    assert torch.equal(slip(x), slip(x))
    block = randomised(TransformerEncoderBlock(12, 3, 24, dropout=0.1)).train()
    assert not torch.equal(block(x), block(x))


# --- Row 2: tokens of different images attend to each other ---


def test_images_do_not_see_their_neighbours_in_the_batch():
    photo, calm, wild = torch.randn(1, 3, 32, 32), torch.zeros(1, 3, 32, 32), 5 * torch.randn(1, 3, 32, 32)
    model = ViT(TINY)
    randomised(model)
    with torch.no_grad():
        alone = model(photo)
        for neighbour in (calm, wild):
            batch = torch.cat([photo, neighbour])
            torch.testing.assert_close(model(batch)[:1], alone, atol=1e-5, rtol=1e-5)
            output = model.trace(batch)
            assert output.logits is not None
            torch.testing.assert_close(output.logits[:1], alone, atol=1e-5, rtol=1e-5)
            assert output.attentions[0].shape == (2, 3, 17, 17)  # tokens by tokens, one map for each image

        tokens = [model.embed(x) for x in (photo, calm, wild)]
        slip = randomised(SlippedBlock(48, 3))
        one, other = slip(torch.cat([tokens[0], tokens[1]])), slip(torch.cat([tokens[0], tokens[2]]))
        assert (one[0] - other[0]).abs().max() > 0.1  # the same photo, two results


def test_patches_do_see_each_other():
    """With one image per batch the slip's softmax runs over a single entry: no token learns of another."""
    x = torch.randn(1, 5, 12)
    changed = torch.cat([x[:, :4], torch.randn(1, 1, 12)], dim=1)
    slip, ours = randomised(SlippedBlock(12, 3)), randomised(TransformerEncoderBlock(12, 3, 24))
    torch.testing.assert_close(slip(changed)[:, :4], slip(x)[:, :4])
    assert (ours(changed)[:, :4] - ours(x)[:, :4]).abs().max() > 0.01


# --- Row 3: 8 heads ---


def test_twelve_heads_of_width_64():
    with torch.device("meta"):  # shapes alone
        model, alone = ViT(), TransformerEncoderBlock()
    assert [block.self_attn.heads for block in model.blocks] == [12] * 12
    assert alone.self_attn.heads == 12
    q, _, _ = alone.self_attn.queries_keys_values(torch.empty(1, 197, 768, device="meta"))
    assert q.shape == (1, 12, 197, 64)


def test_the_number_of_heads_matters():
    """The same weights split into other heads give another result, so 8 for 12 cannot load a trained model rightly."""
    few, many = MultiHeadSelfAttention(24, 2), MultiHeadSelfAttention(24, 3)
    randomised(few)
    many.load_state_dict(few.state_dict())
    x = torch.randn(1, 5, 24)
    assert (few(x) - many(x)).abs().max() > 0.01


# --- Row 4: patches scrambled by a reshape ---


def test_the_convolution_equals_cutting_and_projecting():
    embedding = PatchEmbedding(3, 8, 24, (32, 48))
    randomised(embedding)
    photo = torch.randn(2, 3, 32, 48)
    weight, bias = embedding.projection.weight.flatten(1), embedding.projection.bias  # [24 3*8*8]
    with torch.no_grad():
        projected = embedding.project(photo)
        torch.testing.assert_close(F.linear(patchify(photo, 8), weight, bias), projected, atol=1e-4, rtol=1e-4)
        scrambled = photo.reshape(2, 24, 3 * 8 * 8)  # the slip: the right shape, the wrong numbers
        assert scrambled.shape == patchify(photo, 8).shape
        assert (F.linear(scrambled, weight, bias) - projected).abs().max() > 0.1


def test_each_patch_is_a_square_of_the_photo():
    photo = torch.randn(1, 3, 32, 48)
    patches = patchify(photo, 8)
    assert torch.equal(patches[0, 1 * 6 + 2].reshape(3, 8, 8), photo[0, :, 8:16, 16:24])  # row 1, column 2
    scrambled = photo.reshape(1, 24, 3 * 8 * 8)
    assert not torch.equal(scrambled[0, 8].reshape(3, 8, 8), photo[0, :, 8:16, 16:24])


# --- Row 5: the head on all tokens ---


def test_logits_come_from_the_class_token():
    model = ViT(TINY)
    randomised(model)
    photo = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        output = model.trace(photo)
        slip = model.classification_head(output.tokens[-1])
        assert slip.shape == (2, 17, 7)  # B × tokens × classes: no answer for the image
        assert output.logits is not None
        assert model(photo).shape == output.logits.shape == (2, 7)
        torch.testing.assert_close(output.logits, slip[:, 0])
        torch.testing.assert_close(model.layer_logits(output, "all")[-1], slip)  # kept, as a class map per layer


def test_the_head_alone_still_takes_every_token():
    assert ClassificationHead(12, 7)(torch.randn(2, 5, 12)).shape == (2, 5, 7)


# --- Row 6: the photo squashed and not normalised ---


def test_the_photo_keeps_its_shape_and_is_normalised():
    """A white square of 10 × 10 on a grey photo of 60 × 30, grey being the mean that is taken off."""
    photo = Image.new("RGB", (60, 30), (128, 128, 128))
    photo.paste((255, 255, 255), (24, 10, 34, 20))

    def extent(pixels: Tensor) -> tuple[int, int]:
        """Height and width in pixels of what is brighter than halfway between grey and white."""
        bright = pixels[0, 0] > (pixels.min() + pixels.max()) / 2
        return int(bright.any(1).sum()), int(bright.any(0).sum())

    slip = torch.from_numpy(np.array(photo.resize((30, 30)))).permute(2, 0, 1)[None] / 255
    assert extent(slip) == (10, 5)  # a square has become a tall rectangle
    assert slip[0, 0, 0, 0] > 0.5  # on a scale of 0 to 1, where the model expects grey to be 0

    half = (0.5, 0.5, 0.5)
    pixels = Preprocess(size=30, crop=1.0, mean=half, std=half)(photo).pixels
    assert extent(pixels) == (10, 10)
    assert pixels.min().item() == pytest.approx((128 / 255 - 0.5) / 0.5, abs=1e-5)
    assert pixels.max().item() == pytest.approx(1)
    small = Preprocess(size=24, crop=0.8, mean=half, std=half)(photo)
    assert small.box == pytest.approx((18, 3, 42, 27))  # the middle 0.8 of the short side


# --- Row 7: standard normal start of class token and positions ---


def test_truncated_normal_start():
    """Standard deviation 0.02; trunc_normal_ cuts at ±2, which a deviation of 1 would reach and 0.02 never does."""
    embedding = PatchEmbedding(distillation_token=True, registers=4)
    slip = torch.randn(197, 768)
    assert slip.abs().max() > 2
    for name in ("cls_token", "dist_token", "register_tokens", "positions"):
        values = getattr(embedding, name).detach()
        error = 0.02 / math.sqrt(2 * values.numel())  # of a deviation estimated from that many numbers
        assert values.std().item() == pytest.approx(0.02, abs=5 * error), name
        assert abs(values.mean().item()) < 5 * 0.02 / math.sqrt(values.numel()), name
        assert values.abs().max() < 0.12 < 2, name  # 6 deviations


def test_linear_maps_start_the_same_way():
    model = ViT(TINY)
    for name, parameter in model.named_parameters():
        if name.endswith(("qkv.weight", "proj.weight", "fc1.weight", "fc2.weight", "linear.weight")):
            assert parameter.std().item() == pytest.approx(0.02, rel=0.2), name
        elif name.endswith("bias") and "projection" not in name:
            assert (parameter == 0).all(), name
