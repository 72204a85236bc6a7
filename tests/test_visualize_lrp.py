"""LRP: each rule by hand or written out a second time, and what the rules promise to hand on."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from visual_models import KINDS, images, one_thread, tiny  # noqa: F401

from visualize import explain
from visualize.methods.lrp import Rules, gamma_rule, identity_rule, norm_rule, share
from vit.model import ACTIVATIONS, ViT


def relevance(x: Tensor, function, out: Tensor | float) -> Tensor:
    """What `function` hands back to x when its output y has relevance `out`: x ⊙ ∂y/∂x · out / y."""
    x = x.detach().clone().requires_grad_()
    y = function(x)
    (gradient,) = torch.autograd.grad((y * (out / y).detach()).sum(), x)
    return x.detach() * gradient


@pytest.mark.parametrize(
    ("x", "w", "b", "expected"),
    [
        # z = 3, −2, y = 1: the positive one counts 1.5 times: 4.5 and −2 of 2.5.
        ([1.0, 2.0], [3.0, -1.0], None, [4.5 / 2.5, -2 / 2.5]),
        # The same contributions from an input of the other sign.
        ([-1.0, 2.0], [-3.0, -1.0], None, [4.5 / 2.5, -2 / 2.5]),
        # z = 1, −2, y = −1: the negative one counts 1.5 times: 1 and −3 of −2.
        ([1.0, 2.0], [1.0, -1.0], None, [1 / -2, -3 / -2]),
        # A bias of 1 is a contribution too: 4.5, −2 and 1.5 of 4. It keeps its part.
        ([1.0, 2.0], [3.0, -1.0], [1.0], [4.5 / 4, -2 / 4]),
        # A bias against the output counts once: z = 3, −1, bias −1, y = 1: 4.5, −1, −1 of 2.5.
        ([1.0, 1.0], [3.0, -1.0], [-1.0], [4.5 / 2.5, -1 / 2.5]),
    ],
)
def test_gamma_rule_by_hand(x, w, b, expected):
    weight, bias = torch.tensor([w]), None if b is None else torch.tensor(b)
    got = relevance(torch.tensor([x]), lambda x: gamma_rule(x, weight, bias, 0.5), 10.0)
    torch.testing.assert_close(got, 10 * torch.tensor([expected]))


@pytest.mark.parametrize("gamma", [0, 0.25, 100])
def test_gamma_rule_computes_the_same_and_hands_everything_on(gamma):
    x, weight = torch.randn(5, 7, dtype=torch.float64), torch.randn(4, 7, dtype=torch.float64)
    out = torch.randn(5, 4, dtype=torch.float64)
    torch.testing.assert_close(gamma_rule(x, weight, None, gamma), x @ weight.T)
    torch.testing.assert_close(gamma_rule(x, weight, out[0], gamma), F.linear(x, weight, out[0]))  # any bias
    got = relevance(x, lambda x: gamma_rule(x, weight, None, gamma), out)
    torch.testing.assert_close(got.sum(1), out.sum(1))


def test_gamma_rule_of_outputs_and_inputs_that_are_zero():
    zero = gamma_rule(torch.zeros(1, 2), torch.ones(1, 2), None, 0.5)
    assert zero.tolist() == [[0]]
    x = torch.zeros(1, 2, requires_grad=True)
    (gradient,) = torch.autograd.grad(gamma_rule(x, torch.ones(1, 2), None, 0.5).sum(), x)
    assert gradient.isfinite().all()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_nonlinearities_hand_on_what_they_get(name):
    x, out = torch.tensor([-2.0, -0.1, 0.0, 0.7, 30.0]), torch.tensor([1.0, 2.0, 3.0, -4.0, 5.0])
    torch.testing.assert_close(identity_rule(x, ACTIVATIONS[name]), ACTIVATIONS[name](x))
    leaf = x.clone().requires_grad_()
    y = identity_rule(leaf, ACTIVATIONS[name])
    (gradient,) = torch.autograd.grad(y.sum(), leaf)
    torch.testing.assert_close(x * gradient, y.detach())  # gradient 1 on y is relevance y
    alive = y.detach() != 0
    assert torch.equal(alive, torch.tensor([name != "relu", name != "relu", False, True, True]))
    got = relevance(x[alive], lambda x: identity_rule(x, ACTIVATIONS[name]), out[alive])
    torch.testing.assert_close(got, out[alive])


def test_a_norm_is_linear_and_hands_everything_on():
    norm = nn.LayerNorm(6).double()
    nn.init.normal_(norm.weight)
    x, out = torch.randn(3, 6, dtype=torch.float64), torch.randn(3, 6, dtype=torch.float64)
    torch.testing.assert_close(norm_rule(norm, x), norm(x))
    torch.testing.assert_close(relevance(x, lambda x: norm_rule(norm, x), out).sum(1), out.sum(1))
    assert norm_rule(nn.Identity(), x) is x


def test_share_by_hand():
    assert relevance(torch.tensor([3.0]), lambda x: share(x, 0.25), 8.0).tolist() == [2]
    assert share(torch.tensor([3.0]), 0.25).tolist() == [3]


@torch.no_grad()
def explicit(part, x: Tensor, out: Tensor, constant: bool) -> Tensor:
    """Relevance of x [N D] through attention without biases, by the formulas themselves, one number at a time."""
    q, k, v = (t[0] for t in part.queries_keys_values(x[None]))  # each [h N d]
    heads, tokens, size = q.shape
    q = q * size**-0.5
    scores = q @ k.transpose(1, 2)
    a = scores.softmax(-1)
    o = a @ v
    merged = o.transpose(0, 1).flatten(1)  # [N D]
    z = merged[:, None] * part.proj.weight  # [N out in]
    r_o = (z / z.sum(2, keepdim=True) * out[..., None]).sum(1).view(tokens, heads, size).transpose(0, 1)
    r_q, r_k, r_v = torch.zeros_like(q), torch.zeros_like(k), torch.zeros_like(v)
    for h in range(heads):
        r_a = torch.zeros(tokens, tokens, dtype=x.dtype)
        for i in range(tokens):
            for j in range(tokens):
                part_of = a[h, i, j] * v[h, j] / o[h, i] * r_o[h, i]  # [d]
                r_v[h, j] += part_of * (1 if constant else 0.5)
                r_a[i, j] = 0.5 * part_of.sum()
        if constant:
            continue
        for i in range(tokens):
            for j in range(tokens):
                r_s = scores[h, i, j] * (r_a[i, j] - a[h, i, j] * r_a[i].sum())
                pair = q[h, i] * k[h, j] / scores[h, i, j] * r_s
                r_q[h, i] += pair / 2
                r_k[h, j] += pair / 2
    r = torch.stack([r_q, r_k, r_v]).permute(2, 0, 1, 3).flatten(1)  # [N 3D]
    z = x[:, None] * part.qkv.weight
    return (z / z.sum(2, keepdim=True) * r[..., None]).sum(1)


@pytest.mark.parametrize("attention", ["attnlrp", "constant"])
def test_attention_equals_its_formulas_written_out(attention):
    part = tiny(qkv_bias=False).double().blocks[0].self_attn
    nn.init.zeros_(part.proj.bias)
    x, out = torch.randn(5, 24, dtype=torch.float64), torch.randn(5, 24, dtype=torch.float64)
    rules = Rules(0, 0, attention)
    torch.testing.assert_close(rules.attend(part, x[None]), part(x[None]))
    got = relevance(x, lambda x: rules.attend(part, x[None])[0], out)
    torch.testing.assert_close(got, explicit(part, x, out, constant=attention == "constant"))
    if attention == "constant":  # nothing is lost: the weights are constants
        torch.testing.assert_close(got.sum(), out.sum())


VARIANTS = [*((kind, {}) for kind in KINDS if not kind.startswith("headless"))]
VARIANTS += [("class", {"activation": name}) for name in ACTIVATIONS]
VARIANTS += [("mean", {"head_norm": "none"}), ("class", {"qkv_bias": False, "patch_bias": False})]
VARIANTS += [("class", {"distillation_token": True, "positions": "sincos_1d"})]


@pytest.mark.parametrize(("kind", "changes"), VARIANTS)
def test_the_rules_compute_what_the_model_computes(kind, changes):
    model, pixels = tiny(kind, **changes), images()
    for attention in ("attnlrp", "constant"):
        logits = Rules(0.25, 0.05, attention).logits(model, pixels)
        torch.testing.assert_close(logits, model(pixels), rtol=1e-4, atol=1e-5)


def without_offsets(**changes) -> ViT:
    """A model that reads patches alone, all of whose biases and positions are 0: nothing keeps relevance."""
    model = tiny("mean", **changes).double()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias") or "positions" in name:
                parameter.zero_()
    return model


@pytest.mark.parametrize("changes", [{}, {"mlp": "swiglu"}, {"layer_scale": 1.0, "head_norm": "tokens"}])
@pytest.mark.parametrize("gammas", [(0, 0), (0.25, 0.05), (10, 1)])
def test_relevance_is_conserved_where_the_rules_promise_it(changes, gammas):
    model, pixels = without_offsets(**changes), images().double()
    options = {"gamma_patches": gammas[0], "gamma": gammas[1]}
    logits = model(pixels).detach()
    # With constant attention every rule hands on all it gets: the map adds up to y_c.
    total = explain(model, pixels, "lrp", 1, attention="constant", **options).sum((1, 2))
    torch.testing.assert_close(total, logits[:, 1])
    total = explain(model, pixels, "lrp", 1, contrast=3, attention="constant", **options).sum((1, 2))
    torch.testing.assert_close(total, logits[:, 1] - logits[:, 3])
    # The softmax does not: with it the sum is another one.
    total = explain(model, pixels, "lrp", 1, attention="attnlrp", **options).sum((1, 2))
    assert (total - logits[:, 1]).abs().min() > 1e-3
    # Without attention's contribution nothing is left that would not conserve.
    with torch.no_grad():
        for block in model.blocks:
            block.self_attn.proj.weight.zero_()
    total = explain(model, pixels, "lrp", 1, attention="attnlrp", **options).sum((1, 2))
    torch.testing.assert_close(total, model(pixels)[:, 1].detach())


def test_gamma_moves_relevance_between_patches_and_leaves_its_sum():
    model, pixels = without_offsets(), images(1).double()
    plain = explain(model, pixels, "lrp", 0, gamma=0, gamma_patches=0, attention="constant")
    raised = explain(model, pixels, "lrp", 0, attention="constant")
    assert not torch.allclose(plain, raised)
    torch.testing.assert_close(plain.sum(), raised.sum())
