"""The files that the parts in the browser are made of."""

import pytest

from ui.anatomy import Anatomy
from ui.component import SHARED, SHARED_SCRIPTS, Part
from ui.explain import Explain
from ui.explorer import Explorer
from ui.layers import LayersPart
from ui.model import ModelPart

PARTS: list[type[Part]] = [Explorer, Explain, LayersPart, ModelPart, Anatomy]


@pytest.mark.parametrize("part", PARTS)
def test_templates_hold_no_data_and_name_no_other_host(part: type[Part]):
    name = part.folder.name
    html = (part.folder / f"{name}.html").read_text()
    scripts = "".join((part.folder / script).read_text() for script in part.scripts)
    assert "${" not in html
    assert "{{" not in html
    for text in (html, scripts, (part.folder / f"{name}.css").read_text()):
        assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    assert {path.name for path in part.folder.glob("*.js")} == set(part.scripts)


def test_shared_scripts_are_all_used_and_name_no_other_host():
    assert {path.name for path in SHARED.glob("*.js")} == set(SHARED_SCRIPTS)
    for path in SHARED.iterdir():
        assert "http" not in path.read_text().replace("http://www.w3.org/2000/svg", "")
