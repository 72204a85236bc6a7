import pytest
import torch

from visualize import rollout, rollout_by_layer
from visualize.methods.rollout import discard_smallest


def attention(*shape: int) -> torch.Tensor:
    return torch.randn(*shape).mul(2).softmax(-1)


def test_two_tokens_two_layers_by_hand():
    first = torch.tensor([[[[0.0, 1.0], [0.5, 0.5]]]])
    second = torch.tensor([[[[0.5, 0.5], [0.0, 1.0]]]])
    # Ã_0 = [[½, ½], [¼, ¾]], Ã_1 = [[¾, ¼], [0, 1]]; R = Ã_1 Ã_0
    expected = torch.tensor([[[0.4375, 0.5625], [0.25, 0.75]]])
    torch.testing.assert_close(rollout([first, second]), expected)


def test_heads_are_fused_before_the_product():
    one = torch.tensor([[0.2, 0.8], [1.0, 0.0]])
    two = torch.tensor([[0.6, 0.4], [0.0, 1.0]])
    both = torch.stack([one, two])[None]
    mean = torch.tensor([[0.4, 0.6], [0.5, 0.5]])
    top = torch.tensor([[0.6, 0.8], [1.0, 1.0]]) / torch.tensor([[1.4], [2.0]])  # residual 0: rows renormalised
    low = torch.tensor([[0.2, 0.4], [0.0, 0.0]]) / torch.tensor([[0.6], [1.0]])
    low[1, 1] = 1  # an empty row keeps its own token
    for heads, expected in (("mean", mean), ("max", top), ("min", low)):
        torch.testing.assert_close(rollout([both], heads=heads, residual=0)[0], expected)


def test_discard_zeroes_the_smallest_patches_of_each_row_by_hand():
    # One prefix token, three patches; ⌊0.7 · 3⌋ = 2 of the three patch columns go, in patch rows only.
    rows = [[0.1, 0.2, 0.3, 0.4], [0.7, 0.1, 0.05, 0.15], [0.0, 0.5, 0.3, 0.2], [0.4, 0.2, 0.2, 0.2]]
    expected = [[0.1, 0.2, 0.3, 0.4], [0.7, 0, 0, 0.15], [0.0, 0.5, 0, 0], [0.4, 0, 0, 0.2]]  # a tie: first go first
    given = torch.tensor([rows])
    torch.testing.assert_close(discard_smallest(given, 0.7, prefix=1), torch.tensor([expected]))
    assert torch.equal(given, torch.tensor([rows]))  # what was handed in is unchanged


def test_discard_never_touches_rows_or_columns_of_the_prefix():
    fused = attention(2, 9, 9)
    kept = discard_smallest(fused, 0.9, prefix=3)
    assert torch.equal(kept[:, :3], fused[:, :3])
    assert torch.equal(kept[:, :, :3], fused[:, :, :3])
    assert (kept[:, 3:, 3:] == 0).sum(-1).eq(5).all()  # ⌊0.9 · 6⌋ in each row of each image


@pytest.mark.parametrize("heads", ["mean", "min", "max"])
@pytest.mark.parametrize("discard", [0.0, 0.5, 0.95])
@pytest.mark.parametrize("residual", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("prefix", [0, 1, 5])
def test_rows_always_sum_to_one(heads, discard, residual, prefix):
    layers = [attention(2, 3, 11, 11).double() for _ in range(4)]
    result = rollout(layers, heads=heads, discard=discard, residual=residual, prefix=prefix)
    torch.testing.assert_close(result.sum(-1), torch.ones(2, 11, dtype=torch.float64), rtol=0, atol=1e-12)
    assert (result >= 0).all()


def test_uniform_in_uniform_out():
    uniform = [torch.full((1, 2, 5, 5), 0.2)] * 3
    torch.testing.assert_close(rollout(uniform, residual=0), torch.full((1, 5, 5), 0.2))
    # With a residual, all tokens but a row's own stay equal.
    mixed = rollout(uniform)[0]
    own = 0.5**3 + (1 - 0.5**3) / 5
    torch.testing.assert_close(mixed.diagonal(), torch.full((5,), own))
    torch.testing.assert_close(mixed[0, 1:], torch.full((4,), (1 - own) / 4))


def test_a_batch_equals_its_images():
    layers = [attention(3, 2, 7, 7) for _ in range(3)]
    together = rollout(layers, discard=0.6, heads="max", prefix=2)
    for i in range(3):
        alone = rollout([a[i : i + 1] for a in layers], discard=0.6, heads="max", prefix=2)
        torch.testing.assert_close(together[i : i + 1], alone)


def test_start_end_and_every_layer_between():
    layers = [attention(1, 2, 6, 6) for _ in range(4)]
    torch.testing.assert_close(rollout(layers, start_layer=1, end_layer=2), rollout(layers[1:3]))
    torch.testing.assert_close(rollout(layers, end_layer=-2), rollout(layers[:3]))
    views = rollout_by_layer(layers, start_layer=1)
    assert len(views) == 3
    for i, view in enumerate(views):
        torch.testing.assert_close(view, rollout(layers, start_layer=1, end_layer=i + 1))


def test_what_is_handed_in_stays():
    layers = [attention(1, 2, 6, 6) for _ in range(2)]
    before = [a.clone() for a in layers]
    rollout(layers, discard=0.9)
    rollout(layers, discard=0.9, compat="vit-explain")
    assert all(torch.equal(a, b) for a, b in zip(layers, before, strict=True))


def test_half_precision_is_computed_in_single():
    assert rollout([attention(1, 2, 4, 4).half()]).dtype == torch.float32


def test_vit_explain_compatibility_by_hand():
    # One layer, three tokens, discard 0.5: int(9 · 0.5) = 4 smallest cells of the whole matrix go, cell 0 never.
    fused = torch.tensor([[[[0.05, 0.15, 0.8], [0.1, 0.3, 0.6], [0.2, 0.35, 0.45]]]], dtype=torch.float64)
    # Smallest four: 0.05 (cell 0: kept), 0.1, 0.15, 0.2. Then (A + I) / 2:
    #   [0.525 0 0.4], [0 0.65 0.3], [0 0.175 0.725]; row sums 0.925, 0.95, 0.9; columns are divided by them.
    expected = torch.tensor(
        [[0.525 / 0.925, 0, 0.4 / 0.9], [0, 0.65 / 0.95, 0.3 / 0.9], [0, 0.175 / 0.95, 0.725 / 0.9]],
        dtype=torch.float64,
    )
    result = rollout([fused], discard=0.5, compat="vit-explain")
    torch.testing.assert_close(result[0], expected)
    torch.testing.assert_close(rollout([fused, fused], discard=0.5, compat="vit-explain")[0], expected @ expected)
    assert (result.sum(-1) - 1).abs().max() > 0.01  # the defect that ours does not have


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"heads": "median"}, "heads must be one of 'mean', 'min', 'max'"),
        ({"discard": 1.0}, r"discard must be a number in \[0, 1\)"),
        ({"discard": "0.5"}, "discard must be a number"),
        ({"residual": -0.1}, r"residual must be a number in \[0, 1\]"),
        ({"residual": float("nan")}, "residual must be a number"),
        ({"start_layer": 2}, "start_layer must be a whole number from -2 to 1"),
        ({"start_layer": 1, "end_layer": 0}, "lies after end_layer"),
        ({"prefix": 6}, "prefix must be a whole number from 0 to 5"),
        ({"compat": "captum"}, "compat must be one of None, 'vit-explain'"),
        ({"compat": "vit-explain"}, "one image at a time"),
    ],
)
def test_values_outside_are_refused(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        rollout([attention(2, 2, 6, 6)] * 2, **options)


def test_compat_has_no_other_residual():
    with pytest.raises(ValueError, match=r"residual 0\.5 and one prefix token"):
        rollout([attention(1, 2, 6, 6)], compat="vit-explain", residual=0.4)


@pytest.mark.parametrize("layers", [[], [torch.zeros(2, 6, 6)], [torch.zeros(1, 2, 6, 6), torch.zeros(1, 2, 5, 5)]])
def test_attentions_of_other_shapes_are_refused(layers):
    with pytest.raises(ValueError, match=r"at least one layer|Expected attentions"):
        rollout(layers)
