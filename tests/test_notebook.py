"""The notebook runs from top to bottom, and what it prints is what is stored in it.

Its cells are plain Python, so a subprocess runs them one after the other. A Jupyter kernel would add some twenty
packages and a socket to CI, and would test Jupyter more than the notebook.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PATH = ROOT / "docs" / "annotated_vit.ipynb"
NOTEBOOK = json.loads(PATH.read_text(encoding="utf-8"))
CODE = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]
RUNNER = """
import json, sys
spaces = {"__name__": "__main__"}
with open(sys.argv[1], encoding="utf-8") as file:
    cells = [cell for cell in json.load(file)["cells"] if cell["cell_type"] == "code"]
for i, cell in enumerate(cells):
    exec(compile("".join(cell["source"]), f"cell {i + 1}", "exec"), spaces)
    print("<end of cell>")
"""


def printed(cell: dict) -> str:
    """What a cell printed when it was stored."""
    return "".join("".join(o["text"]) for o in cell["outputs"] if o["output_type"] == "stream")


def run(folder: Path) -> list[str]:
    """Run the notebook's cells with `folder` as working directory; what each prints."""
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", RUNNER, str(PATH)],
        cwd=folder,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": "", "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.split("<end of cell>\n")[:-1]


@pytest.mark.parametrize("folder", ["docs", "."])
def test_it_runs_from_top_to_bottom_and_prints_what_it_shows(folder: str):
    shown = run(ROOT / folder)
    assert len(shown) == len(CODE)
    number = re.compile(r"\d+\.\d+")
    for cell, now in zip(CODE, shown, strict=True):
        before = printed(cell)
        assert number.sub("#", now) == number.sub("#", before)
        exact = [float(n) for n in number.findall(before)]
        assert [float(n) for n in number.findall(now)] == pytest.approx(exact, abs=0.02)


def test_it_is_a_notebook_that_was_run_and_is_small():
    assert NOTEBOOK["nbformat"] == 4
    assert NOTEBOOK["metadata"]["kernelspec"]["name"] == "python3"
    assert PATH.stat().st_size < 400_000
    assert [cell["execution_count"] for cell in CODE] == list(range(1, len(CODE) + 1))
    ids = [cell["id"] for cell in NOTEBOOK["cells"]]
    assert len(ids) == len(set(ids))
    pictures = [o for cell in CODE for o in cell["outputs"] if "image/png" in o.get("data", {})]
    assert len(pictures) == 3
    assert not any(o["output_type"] == "error" for cell in CODE for o in cell["outputs"])


def test_it_checks_a_shape_at_every_step():
    text = "".join("".join(cell["source"]) for cell in CODE)
    assert text.count(".shape ==") >= 15
    for shape in (
        "(1, 3, 224, 224)",
        "(1, 256, 588)",
        "(1, 196, 768)",
        "(1, 257, 384)",
        "(1, 6, 257, 257)",
        "(1, 1000)",
    ):
        assert shape in text


def test_its_order_is_the_tabs():
    headings = [
        line.lstrip("# ")
        for cell in NOTEBOOK["cells"]
        if cell["cell_type"] == "markdown"
        for line in "".join(cell["source"]).splitlines()
        if line.startswith("## ")
    ]
    from ui.anatomy.step import CHAPTERS

    assert headings == list(CHAPTERS)


def test_links_lead_somewhere():
    text = "".join("".join(cell["source"]) for cell in NOTEBOOK["cells"])
    for target in re.findall(r"\]\(((?!http)[^)#]+)\)", text):
        assert (PATH.parent / target).exists()
