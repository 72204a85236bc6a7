"""The README's promises: its Python block runs, its files exist, its table is the one that is tested."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import faithfulness

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TOUR = sorted(set(re.findall(r"`((?:vit|visualize|ui|tests|benchmarks|assets)/[\w./]*)`", README)))


def test_python_block_runs_as_it_stands(tmp_path: Path):
    code = re.search(r"<!-- python -->\n```python\n(.*?)```", README, re.S)
    assert code
    program = code[1].replace('"assets/', f'"{ROOT.as_posix()}/assets/')
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "", "HF_HUB_OFFLINE": "1", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert re.search(r"torch\.Size\(\[1, \d+, \d+, \d+\]\)\ninsertion 0\.\d\d, deletion 0\.\d\d", result.stdout)
    assert (tmp_path / "rollout.png").stat().st_size > 10_000


@pytest.mark.parametrize("path", sorted(set(re.findall(r"\]\(((?!http)[^)#]+)\)", README))))
def test_links_lead_somewhere(path: str):
    assert (ROOT / path).exists()


@pytest.mark.parametrize(
    "path", sorted(set(re.findall(r"`((?:vit|visualize|ui|tests|benchmarks|assets)/[\w./]*)`", README)))
)
def test_files_of_the_tour_exist(path: str):
    assert (ROOT / path).exists()


def test_both_commands_stand_near_the_top():
    top = README.split("## ")[0]
    assert "pip install -r requirements.txt && python app.py" in top
    assert "pip install -r requirements-dev.txt && python -m pytest" in top


def test_spaces_front_matter_names_this_app():
    front = README.split("---")[1]
    facts = dict(line.split(": ", 1) for line in front.strip().splitlines() if ": " in line)
    assert facts["sdk"] == "gradio"
    assert (ROOT / facts["app_file"]).exists()
    assert facts["license"] == "apache-2.0"
    low, high = re.search(r"gradio>=([\d.]+),<(\d+)", (ROOT / "requirements.txt").read_text()).groups()  # type: ignore[union-attr]
    assert facts["sdk_version"].startswith(low)
    assert int(facts["sdk_version"].split(".")[0]) < int(high)


@pytest.mark.parametrize(("model", "photos"), [(faithfulness.DEIT, 100), (faithfulness.available()[0], 30)])
def test_tables_of_faithfulness_are_those_of_the_measurements(model: str, photos: int):
    records = faithfulness.read(ROOT / "benchmarks" / "faithfulness.jsonl").values()
    heading, table, _, gains = faithfulness.tables(records, model).split("\n\n")
    assert heading == f"{model}, {photos} photos"
    assert table in README
    assert len(table.splitlines()) == 2 + len(faithfulness.ROWS)
    assert len(gains.splitlines()) == 2 + len(faithfulness.ROWS) - len(faithfulness.BASELINES)
