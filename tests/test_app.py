"""The entry point: it starts, names its flags, and ends cleanly."""

import signal
import subprocess
import sys

from conftest import ROOT, start_app


def test_help_lists_the_flags():
    shown = subprocess.run([sys.executable, "app.py", "--help"], cwd=ROOT, capture_output=True, text=True)
    assert shown.returncode == 0
    assert "--port" in shown.stdout
    assert "GRADIO_SERVER_PORT" in shown.stdout


def test_interrupt_ends_it_cleanly_and_without_a_trace():
    process, _ = start_app()
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=30)
    assert "Traceback" not in said
    assert process.returncode == 0


def test_an_unknown_opening_model_is_a_sentence():
    shown = subprocess.run(
        [sys.executable, "app.py", "--model", "resnet50"], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert shown.returncode == 1
    assert shown.stderr.strip().splitlines()[-1] == "There is no model named 'resnet50' here."
    assert "Traceback" not in shown.stderr
