"""The page's address: which model and which example a link asks for. The browser restores the rest of a link."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs

from PIL import Image

from ui import models
from ui.side import example_photos


def example_of(image: Image.Image) -> str:
    """The file name of the example that an image was read from, "" for any other photo."""
    source = Path(image.info.get("source") or "")
    for entry in example_photos():
        path = Path(entry["file"])
        if source.name == path.name and source.is_file() and source.read_bytes() == path.read_bytes():
            return path.name
    return ""


@dataclass(frozen=True)
class Link:
    """What a link asks for; None where it asks for nothing else than the page already shows."""

    model: str | None
    example: str | None  # path of an example photo
    problems: tuple[str, ...]  # sentences about what cannot be restored


def read_link(query: str, model: str, example: str, any_model: bool = False) -> Link:
    """Read an address's query, such as "?model=deit_tiny&example=cat.jpg", beside the page's own model and example."""
    given = {name: values[0] for name, values in parse_qs(query.lstrip("?")).items()}
    problems = []
    wanted = given.get("model", model)
    try:
        wanted = models.known(wanted, any_model)
    except ValueError as error:
        problems.append(f"{error} The link is opened with {model}.")
        wanted = model
    files = {Path(entry["file"]).name: entry["file"] for entry in example_photos()}
    path = files.get(given.get("example", ""))
    if given.get("photo") == "own":
        problems.append("This link was made with a photo of its maker's own, which is not part of the link. Add yours.")
    elif "example" in given and path is None:
        problems.append("This link names an example photo that is not here.")
    other = path is not None and Path(path).name != Path(example).name
    return Link(wanted if wanted != model else None, path if other else None, tuple(problems))
