import csv

import pytest

from vit.labels import imagenet, labels_for, unique

# Where our names differ from the short names in common use, because those are hard to tell apart.
RENAMED = {134: "crane bird", 517: "crane", 264: "Cardigan", 474: "cardigan", 638: "maillot", 639: "maillot tank suit"}


def test_imagenet_has_1000_different_names_in_any_case():
    names = imagenet()
    assert len(names) == 1000
    assert len({name.casefold() for name in names}) == 1000
    assert all(name == name.strip() and name for name in names)


def test_known_classes_and_the_repeated_names():
    names = imagenet()
    assert (names[0], names[207], names[388], names[999]) == (
        "tench",
        "golden retriever",
        "giant panda",
        "toilet tissue",
    )
    assert (names[134], names[517]) == ("crane (bird)", "crane (machine)")
    assert (names[264], names[474]) == ("Cardigan corgi (dog)", "cardigan (garment)")
    assert names[638] != names[639]


def test_names_agree_with_torchvision():
    from torchvision.models._meta import _IMAGENET_CATEGORIES

    ours = [RENAMED.get(i, name) for i, name in enumerate(imagenet())]
    assert ours == _IMAGENET_CATEGORIES


def test_names_agree_with_the_labelled_photos(photos):
    with (photos / "labels.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) >= 100
    for row in rows:
        index = int(row["class_index"])
        assert RENAMED.get(index, imagenet()[index]) == row["class_name"]


def test_repeated_names_get_their_number():
    assert unique(["cat", "dog", "Cat"]) == ("cat (0)", "dog", "Cat (2)")


def test_labels_for():
    assert labels_for(0) == ()
    assert labels_for(1000) == imagenet()
    assert labels_for(3) == ("class 0", "class 1", "class 2")
    assert labels_for(2, ["cat", "dog"]) == ("cat", "dog")
    assert labels_for(2, ["LABEL_0", "LABEL_1"]) == ("class 0", "class 1")
    synonyms = [f"{name}, and so on" for name in imagenet()]
    assert labels_for(1000, synonyms) == imagenet()
    own = [f"thing {i}" for i in range(1000)]
    assert labels_for(1000, own) == tuple(own)


@pytest.mark.parametrize(("classes", "names"), [(3, ["a", "b"]), (0, ["a"]), (2, [])])
def test_a_wrong_number_of_names_is_refused(classes, names):
    with pytest.raises(ValueError, match=rf"has {classes} classes, but {len(names)} class names"):
        labels_for(classes, names)
