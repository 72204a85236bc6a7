import numpy as np
import pytest
import torch
from PIL import Image

from vit.images import ImageError
from vit.preprocess import HALF, IMAGENET_MEAN, IMAGENET_STD, Preprocess


def photo(width: int, height: int) -> Image.Image:
    """A picture with edges, gradients and noise, so that every way to resize gives other numbers."""
    rng = np.random.default_rng(width * 10_007 + height)
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    pixels = np.stack([x, y, 255 * ((x // 32 + y // 32) % 2)], axis=-1) + rng.normal(0, 20, (height, width, 3))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


SIZES = [(640, 427), (427, 640), (300, 300), (225, 223), (1001, 333), (97, 130), (224, 224)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("share", [224 / 256, 224 / 242, 1.0])
def test_equals_torchvision(size, interpolation, share):
    from torchvision import transforms as T

    reference = T.Compose(
        [
            T.Resize(round(224 / share), interpolation=T.InterpolationMode(interpolation)),
            T.CenterCrop(224),
            T.ToTensor(),
            T.Normalize(IMAGENET_MEAN, IMAGENET_STD),
        ]
    )
    image = photo(*size)
    ours = Preprocess(224, share, interpolation)(image)
    torch.testing.assert_close(ours.pixels[0], reference(image), rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("target", "crop", "mode"),
    [
        (224, 0.9, "crop"),
        (224, 0.875, "crop"),
        (256, 0.95, "crop"),
        (384, 1.0, "crop"),
        (224, 0.9, "squash"),
        ((224, 448), 0.9, "crop"),
        ((336, 112), 1.0, "crop"),
    ],
)
def test_equals_timm(size, target, crop, mode):
    from timm.data import create_transform

    reference = create_transform(
        target, interpolation="bicubic", mean=HALF, std=HALF, crop_pct=crop, crop_mode=mode.replace("crop", "center")
    )
    image = photo(*size)
    ours = Preprocess(target, crop, "bicubic", HALF, HALF, mode)(image)
    torch.testing.assert_close(ours.pixels[0], reference(image), rtol=0, atol=1e-6)  # type: ignore[operator]


@pytest.mark.parametrize("size", [(640, 427), (300, 300), (97, 130)])
def test_equals_transformers(size):
    """Its processors resize with Pillow or with torchvision; Pillow is what the checkpoints were evaluated with."""
    pil = pytest.importorskip("transformers.models.vit.image_processing_pil_vit")
    processor = pil.ViTImageProcessorPil(
        size={"height": 224, "width": 224}, resample=2, image_mean=HALF, image_std=HALF
    )
    image = photo(*size)
    ours = Preprocess(224, 1.0, "bilinear", HALF, HALF, "squash")(image)
    reference = processor(image, return_tensors="pt")["pixel_values"]
    torch.testing.assert_close(ours.pixels, reference, rtol=0, atol=1e-5)


def test_shapes_and_types():
    prepared = Preprocess((28, 42))(photo(50, 40))
    assert prepared.pixels.shape == (1, 3, 28, 42)
    assert prepared.pixels.dtype == torch.float32
    assert prepared.image.size == (42, 28)
    assert prepared.image.mode == "RGB"


def test_the_picture_is_what_the_numbers_say():
    preprocess = Preprocess(32, 0.9)
    prepared = preprocess(photo(100, 60))
    torch.testing.assert_close(preprocess.normalise(prepared.image), prepared.pixels)
    mean, std = torch.tensor(IMAGENET_MEAN)[:, None, None], torch.tensor(IMAGENET_STD)[:, None, None]
    pixels = ((prepared.pixels[0] * std + mean) * 255).round().byte()
    assert (pixels.permute(1, 2, 0).numpy() == np.asarray(prepared.image)).all()


def test_normalising_by_hand():
    grey = Preprocess(2, mean=(0.5, 0.0, 0.25), std=(0.5, 1.0, 0.25))(Image.new("RGB", (2, 2), (255, 51, 0)))
    torch.testing.assert_close(grey.pixels[0, :, 0, 0], torch.tensor([1.0, 0.2, -1.0]))


@pytest.mark.parametrize(
    ("size", "preprocess", "box"),
    [
        ((100, 100), Preprocess(50), (0, 0, 100, 100)),
        ((200, 100), Preprocess(50), (50, 0, 150, 100)),  # the middle of a wide photo
        ((100, 200), Preprocess(50), (0, 50, 100, 150)),
        ((100, 100), Preprocess(50, 0.5), (25, 25, 75, 75)),  # half of each side
        ((200, 100), Preprocess(50, 0.5, mode="squash"), (50, 25, 150, 75)),
        ((200, 100), Preprocess((50, 100)), (0, 0, 200, 100)),
        ((1, 5000), Preprocess(50), (0, 2499.5, 1, 2500.5)),
        ((5000, 1), Preprocess(50), (2499.5, 0, 2500.5, 1)),
    ],
)
def test_box_by_hand(size, preprocess, box):
    assert preprocess(Image.new("RGB", size)).box == pytest.approx(box, abs=1e-6)


@pytest.mark.parametrize("size", SIZES)
def test_the_box_cut_from_the_original_looks_like_what_the_model_saw(size):
    """Mapping the crop back onto the original: resizing that region alone gives nearly the same picture."""
    image = photo(*size)
    prepared = Preprocess(224, 0.9)(image)
    left, top, right, bottom = prepared.box
    assert 0 <= left < right <= image.width + 1e-6
    assert 0 <= top < bottom <= image.height + 1e-6
    again = image.resize(
        (224, 224), Image.Resampling.BICUBIC, box=(left, top, min(right, size[0]), min(bottom, size[1]))
    )
    difference = np.abs(np.asarray(again, dtype=int) - np.asarray(prepared.image, dtype=int))
    assert difference.mean() < 1.5


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (3, 4001)])
@pytest.mark.parametrize("mode", ["crop", "squash"])
def test_tiny_and_extreme_shapes(size, mode):
    prepared = Preprocess(224, 0.9, mode=mode)(Image.new("RGB", size, (255, 0, 0)))
    assert prepared.image.size == (224, 224)
    assert prepared.image.getcolors() == [(224 * 224, (255, 0, 0))]


@pytest.mark.parametrize(("width", "height"), [(10, 400), (400, 10), (11, 401), (10, 401), (7, 600)])
def test_cutting_the_far_ends_changes_nothing_that_is_seen(width, height):
    """Below and above 16 : 1 the result is that of resizing the whole strip, as torchvision does."""
    from torchvision import transforms as T

    image = photo(width, height)
    prepared = Preprocess(56, 0.875)(image)
    reference = T.Compose([T.Resize(64, interpolation=T.InterpolationMode.BICUBIC), T.CenterCrop(56)])(image)
    difference = np.abs(np.asarray(prepared.image, dtype=int) - np.asarray(reference, dtype=int))
    # torchvision rounds the long side down to whole pixels, of a much longer strip: a shift of half a pixel at most
    assert difference.mean() < 2
    assert prepared.box[1] + prepared.box[3] == pytest.approx(height, abs=height / 64)


def test_no_huge_intermediate_picture(monkeypatch):
    made = []
    resize = Image.Image.resize

    def watched(self, size, *args, **kwargs):
        made.append(size[0] * size[1])
        return resize(self, size, *args, **kwargs)

    monkeypatch.setattr(Image.Image, "resize", watched)
    Preprocess(224, 0.875)(Image.new("RGB", (1, 5000)))
    assert max(made) <= 17 * 256 * 256


def test_another_size_keeps_the_rest():
    base = Preprocess(224, 0.9, "bilinear", HALF, HALF, "squash")
    larger = base.resized(448)
    assert larger == Preprocess(448, 0.9, "bilinear", HALF, HALF, "squash")
    assert larger(photo(100, 50)).pixels.shape == (1, 3, 448, 448)
    assert base.resized((28, 56)).height_width == (28, 56)


def test_any_mode_is_taken_and_the_original_stays():
    hidden = Image.new("RGBA", (20, 20), (255, 0, 0, 0))
    before = hidden.tobytes()
    assert Preprocess(14)(hidden).image.getcolors() == [(14 * 14, (255, 255, 255))]
    assert hidden.tobytes() == before


def test_too_large_an_image_is_refused():
    with pytest.raises(ImageError, match="40 megapixels"):
        Preprocess(14)(Image.new("1", (10_000, 5_000)))


@pytest.mark.parametrize(
    ("keywords", "sentence"),
    [
        ({"size": 0}, "at least 1 pixel"),
        ({"crop": 0.0}, "crop share"),
        ({"crop": 1.5}, "crop share"),
        ({"interpolation": "area"}, "interpolation must be one of"),
        ({"mode": "pad"}, "mode must be one of"),
        ({"std": (1.0, 0.0, 1.0)}, "must be positive"),
        ({"mean": (0.5,)}, "three numbers"),
    ],
)
def test_values_that_make_no_sense(keywords, sentence):
    with pytest.raises(ValueError, match=sentence):
        Preprocess(**keywords)
