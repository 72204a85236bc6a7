"""Rooms and their doors: which module may import which, what a file may weigh, and what nobody may do."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted(p for room in ("vit", "visualize", "ui") for p in (ROOT / room).rglob("*.py"))
REFERENCES = {"timm", "transformers"}


def imports(path: Path) -> set[str]:
    """Top-level packages that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


def forbidden(path: Path) -> set[str]:
    inside = path.relative_to(ROOT).parts
    room = inside[0]
    doors = {"vit": {"visualize", "ui", "gradio", "app"}, "visualize": {"ui", "gradio", "app"}, "ui": {"app"}}[room]
    if inside not in (("visualize", "render.py"), ("visualize", "plots.py")):
        doors = doors | {"matplotlib"}
    return doors | REFERENCES


def test_there_are_modules_to_check():
    assert len(MODULES) > 20


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_rooms_are_entered_by_their_doors(path: Path):
    assert not imports(path) & forbidden(path)


def test_a_forbidden_import_would_be_seen(tmp_path: Path):
    bad = tmp_path / "bad.py"
    bad.write_text("def f():\n    from visualize.render import overlay\n    import gradio as gr\n")
    assert {"visualize", "gradio"} <= imports(bad)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_file_can_be_read_in_one_sitting(path: Path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= (420 if path.name == "model.py" else 350)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_hooks_and_no_unpickling(path: Path):
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"register_\w*hook", text)
    assert all("weights_only=True" in call for call in re.findall(r"torch\.load\([^\n]*", text))


def test_no_tracked_file_over_ten_megabytes():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    sizes = {name: (ROOT / name).stat().st_size for name in listed.stdout.split("\0") if (ROOT / name).is_file()}
    assert sizes
    assert not {name: size for name, size in sizes.items() if size > 10_000_000}
