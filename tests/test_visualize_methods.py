import pytest
import torch
from torch import Tensor, nn
from visual_models import KINDS, images, one_thread, tiny  # noqa: F401

from visualize import METHODS, explain
from vit.config import ViTConfig
from vit.model import ViT

NAMES = {
    *("attention", "rollout", "gradient_rollout", "chefer", "legrad", "gradcam", "class_patches", "random", "centre"),
    *("attention_flow", "lrp", "integrated_gradients", "smoothgrad", "occlusion"),
}
GRADIENT = [name for name, method in METHODS.items() if method.gradient]
CONTRASTIVE = [  # every method of a class
    *("gradient_rollout", "chefer", "legrad", "gradcam", "lrp", "class_patches"),
    *("integrated_gradients", "smoothgrad", "occlusion"),
]
CLASSES = [name for name, method in METHODS.items() if method.needs_target]


QUICK = {"integrated_gradients": {"steps": 4}, "smoothgrad": {"samples": 3}}  # where the number of passes is no matter


def refuses(kind: str, method: str) -> bool:
    """Pairs for which a map does not exist."""
    return (kind.startswith("headless") and METHODS[method].needs_target) or (
        kind == "class_mean" and method == "class_patches"
    )


def test_the_registry_is_complete_and_described():
    assert set(METHODS) >= NAMES
    for name, method in METHODS.items():
        assert method.name == name
        assert method.shows.endswith(".")
        assert method.limits.endswith(".")
        assert method.caption == f"{method.shows} {method.limits}"
        assert bool(method.paper) != method.baseline
        assert method.needs_target or not method.gradient
    assert METHODS["attention"].options == {"layer": -1, "head": None, "fuse": "mean", "query": None}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", METHODS)
def test_every_method_on_every_kind_of_model(kind, method):
    model, pixels, options = tiny(kind), images(), QUICK.get(method, {})
    if refuses(kind, method):
        with pytest.raises(ValueError, match=r"no classification head|no class of their own"):
            explain(model, pixels, method, **options)
        return
    heatmap = explain(model, pixels, method, **options)
    assert heatmap.shape == (2, 2, 3)
    assert heatmap.dtype == pixels.dtype
    assert heatmap.isfinite().all()
    assert not heatmap.requires_grad
    assert heatmap.std() > 0
    if METHODS[method].needs_target:
        prediction = model(pixels).argmax(-1)
        torch.testing.assert_close(explain(model, pixels, method, prediction, **options), heatmap)
        other = explain(model, pixels, method, (prediction + 1) % 4, **options)
        assert not torch.allclose(other, heatmap)
    for i in range(2):  # a batch equals its images
        alone = explain(model, pixels[i : i + 1], method, **options)[0]
        torch.testing.assert_close(alone, heatmap[i], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_at_another_size_than_the_models_own(method):
    pixels = torch.randn(1, 3, 32, 24)
    heatmap = explain(tiny("registers"), pixels, method, **QUICK.get(method, {}))
    assert heatmap.shape == (1, 4, 3)
    assert heatmap.isfinite().all()
    assert heatmap.std() > 0


@pytest.mark.parametrize("method", CLASSES)
def test_a_target_is_an_index_or_one_for_each_image(method):
    model, pixels, options = tiny(), images(), QUICK.get(method, {})
    both = explain(model, pixels, method, torch.tensor([1, 3]), **options)
    torch.testing.assert_close(both[:1], explain(model, pixels[:1], method, 1, **options), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(both[1:], explain(model, pixels[1:], method, 3, **options), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(both, explain(model, pixels, method, [1, 3], **options))


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        (4, "There is no class 4: this model's classes are 0 to 3"),
        (-1, "There is no class -1"),
        (1.0, "must be a class index"),
        (True, "must be a class index"),
        ("cat", "must be a class index"),
        (torch.tensor([0, 1, 2]), "names 3 classes for 2 images"),
        (torch.tensor([[0, 1]]), "must be a class index"),
    ],
)
def test_a_target_that_is_no_class_is_refused(target, sentence):
    with pytest.raises(ValueError, match=sentence):
        explain(tiny(), images(), "chefer", target)


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match=r"no method 'saliency'; there are attention, rollout"):
        explain(tiny(), images(), "saliency")
    with pytest.raises(ValueError, match="chefer has no option 'layer'; its options are contrast"):
        explain(tiny(), images(), "chefer", layer=1)
    with pytest.raises(ValueError, match=r"multiples of the patch size"):
        explain(tiny(), torch.zeros(1, 3, 15, 24), "random")


@pytest.mark.parametrize("method", [*CLASSES, "rollout", "random", "centre"])
def test_wrong_values_are_refused(method):
    wrong = {"layer": 7, "start_layer": "first", "discard": 1, "seed": -1, "sigma": 0, "steps": 0, "samples": 0}
    wrong |= {"gamma": -1, "gamma_patches": True, "attention": "rollout"}
    wrong |= {"noise": -1, "baseline": "black", "score": "loss", "batch_size": 0}
    mine = {name: value for name, value in wrong.items() if name in METHODS[method].options}
    for name, value in mine.items():
        with pytest.raises(ValueError, match=f"{name} must be"):
            explain(tiny(), images(), method, **{name: value})
    assert mine or not METHODS[method].options


# Side effects and callers


def state(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("frozen", [False, True])
def test_model_and_gradients_stay_as_they_are(method, frozen):
    model, pixels = tiny(), images()
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, 7)
        parameter.requires_grad_(not frozen)
    before, input_before = state(model), pixels.clone()
    expected = explain(model, pixels, method)
    with pytest.raises(ValueError, match="has no option"):
        explain(model, pixels, method, wrong=1)
    with torch.no_grad():
        torch.testing.assert_close(explain(model, pixels, method), expected)
        assert not torch.is_grad_enabled()
    with torch.inference_mode():
        torch.testing.assert_close(
            explain(model, pixels + 0, method, torch.tensor(0) + model(pixels).argmax(-1)), expected
        )
        assert torch.is_inference_mode_enabled()
    assert torch.equal(pixels, input_before)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.eq(7).all(), name
        assert parameter.requires_grad is not frozen
    assert not any(m._forward_hooks or m._backward_hooks or m._forward_pre_hooks for m in model.modules())


@pytest.mark.parametrize("method", GRADIENT)
def test_nothing_changes_after_an_exception(method, monkeypatch):
    model, pixels = tiny(), images()
    before = state(model)
    monkeypatch.setattr(torch.autograd, "grad", lambda *_: (_ for _ in ()).throw(MemoryError("no memory")))
    with torch.no_grad(), pytest.raises(MemoryError):
        explain(model, pixels, method)
    monkeypatch.undo()
    assert torch.is_grad_enabled()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    assert explain(model, pixels, method).isfinite().all()


def test_every_method_of_a_class_takes_a_rival():
    assert {name for name, method in METHODS.items() if method.contrastive} == set(CONTRASTIVE) == set(CLASSES)


def test_dropout_in_training_is_refused():
    model = ViT(ViTConfig(image_size=8, patch_size=8, width=8, depth=1, heads=1, hidden=8, classes=2, dropout=0.1))
    with pytest.raises(ValueError, match=r"call model\.eval\(\)"):
        explain(model, torch.zeros(1, 3, 8, 8), "attention")
    assert explain(model.eval(), torch.zeros(1, 3, 8, 8), "attention").shape == (1, 1, 1)


@pytest.mark.parametrize("method", CONTRASTIVE)
def test_contrast_is_a_map_of_the_difference_and_needs_two_classes(method):
    model, pixels = tiny(), images()
    plain, against = explain(model, pixels, method, 0), explain(model, pixels, method, 0, contrast=1)
    assert not torch.allclose(plain, against)
    each = explain(model, pixels, method, 0, contrast=torch.tensor([1, 2]))
    torch.testing.assert_close(each[0], against[0], rtol=1e-4, atol=1e-7)
    with pytest.raises(ValueError, match="choose two different classes"):
        explain(model, pixels, method, 1, contrast=1)
    with pytest.raises(ValueError, match="choose two different classes"):
        explain(model, pixels, method, contrast=model(pixels).argmax(-1))
    with pytest.raises(ValueError, match="There is no class 9"):
        explain(model, pixels, method, 1, contrast=9)


# Baselines


def test_random_depends_on_its_seed_alone():
    model, pixels = tiny(), images()
    one = explain(model, pixels, "random", seed=3)
    assert torch.equal(one, explain(model, -pixels, "random", seed=3))
    assert torch.equal(one[0], one[1])
    assert not torch.equal(one, explain(model, pixels, "random", seed=4))
    assert one.min() >= 0
    assert one.max() < 1


def test_centre_by_hand():
    heatmap = explain(tiny(), images(), "centre", sigma=0.5)[0]  # σ = 0.5 · 2 patches
    expected = torch.tensor([-(0.25 + 1) / 2, -0.25 / 2, -(0.25 + 1) / 2]).exp().expand(2, 3)
    torch.testing.assert_close(heatmap, expected)
