"""The files that the parts in the browser are made of."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ui.anatomy import Anatomy
from ui.component import SHARED, SHARED_SCRIPTS, Part, read
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


@pytest.mark.parametrize("part", PARTS)
def test_the_joined_script_names_nothing_that_is_not_there(part: type[Part], tmp_path: Path):
    """Each file alone may use names of the others: only the function that the browser runs can tell."""
    linter = shutil.which("oxlint", path=str(Path(sys.executable).parent)) or shutil.which("oxlint")
    if linter is None:
        pytest.skip("oxlint is not installed: pip install -r requirements-dev.txt")
    shared = "\n".join(read(SHARED / name) for name in SHARED_SCRIPTS)
    own = "\n".join(read(part.folder / name) for name in part.scripts)
    offered = ", ".join(re.findall(r"^(?:const|let|function|async function) (\w+)", shared, re.MULTILINE))

    def complaints(body: str) -> str:
        path = tmp_path / "joined.js"
        arguments = "element, trigger, props, server, watch"
        path.write_text(f"export function part({arguments}) {{\n{shared}\n{body}\nreturn {{ {offered} }};\n}}\n")
        rules = [
            word for rule in ("no-undef", "no-unused-vars", "no-redeclare", "prefer-const") for word in ("-D", rule)
        ]
        config = Path(__file__).resolve().parents[1] / ".oxlintrc.json"
        done = subprocess.run([linter, "-c", config, "-A", "all", *rules, path], capture_output=True, text=True)
        return "" if done.returncode == 0 else done.stdout

    assert complaints(own) == ""
    assert "'nowhere' is not defined" in complaints(own + "\nnowhere();")
