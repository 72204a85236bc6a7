"""What a link asks for, and which photos are examples."""

from pathlib import Path

import pytest
from PIL import Image

import vit
from ui.address import example_of, read_link
from ui.side import example_photos

EMBEDDED = vit.available()[0]
FIRST, SECOND = (entry["file"] for entry in example_photos()[:2])


def test_a_plain_address_asks_for_nothing():
    link = read_link("", EMBEDDED, FIRST)
    assert (link.model, link.example, link.problems) == (None, None, ())


def test_what_the_page_shows_anyway_is_not_asked_for_again():
    link = read_link(f"?model={EMBEDDED}&example={Path(FIRST).name}&layer=3", EMBEDDED, FIRST)
    assert (link.model, link.example, link.problems) == (None, None, ())


def test_another_model_and_another_example():
    other = vit.available()[1]
    link = read_link(f"?model={other}&example={Path(SECOND).name}", EMBEDDED, FIRST)
    assert (link.model, link.example, link.problems) == (other, SECOND, ())


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("?model=/etc/passwd", "no model named '/etc/passwd'"),
        ("?example=../../secret.jpg", "not here"),
        ("?photo=own", "not part of the link"),
    ],
)
def test_what_cannot_be_restored_is_a_sentence_and_the_page_opens_as_usual(query, words):
    link = read_link(query, EMBEDDED, FIRST)
    assert (link.model, link.example) == (None, None)
    assert len(link.problems) == 1
    assert words in link.problems[0]


def test_an_example_is_known_by_its_name_and_its_bytes(tmp_path):
    copy = tmp_path / Path(FIRST).name
    copy.write_bytes(Path(FIRST).read_bytes())
    image = Image.new("RGB", (4, 4))
    assert example_of(image) == ""
    image.info["source"] = str(copy)
    assert example_of(image) == Path(FIRST).name
    copy.write_bytes(b"another photo of the same name")
    assert example_of(image) == ""
