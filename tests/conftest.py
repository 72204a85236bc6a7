"""Shared by all tests: folders of photos and weights, small models, and a torchvision that imports everywhere."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

# No test reaches the network; libraries that would ask the hub must say so at once. (Before they are imported.)
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

torch.set_num_threads(1)  # the models of the tests are tiny: more threads only wait for each other

try:
    import torchvision  # noqa: F401
except RuntimeError:
    # A torchvision built for CUDA beside a CPU torch cannot load its compiled operators and then fails to import,
    # though models and transforms need none of them. Declaring the operators that it looks for is enough.
    _torchvision_ops = torch.library.Library("torchvision", "DEF")
    for _name in ("nms", "qnms"):
        _torchvision_ops.define(f"{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

ROOT = Path(__file__).resolve().parents[1]
pytest_plugins = ["browsing"]  # the fixtures of the browser tests


def _folder(variable: str, beside: str) -> Path | None:
    """A folder named by an environment variable, else the one that lies beside the clone, else None."""
    named = os.environ.get(variable)
    path = Path(named) if named else ROOT.parent / "shared" / beside
    return path if path.is_dir() else None


@pytest.fixture(scope="session")
def photos() -> Path:
    """Folder of labelled photos (labels.csv: file, class_index, …); skips when there is none."""
    path = _folder("VIT_PHOTOS", "data/photos")
    if path is None:
        pytest.skip("no labelled photos: set VIT_PHOTOS to their folder")
    return path


@pytest.fixture(scope="session")
def weights() -> Path:
    """Folder of real weights; skips when there is none."""
    path = _folder("VIT_WEIGHTS", "weights")
    if path is None:
        pytest.skip("no weights: set VIT_WEIGHTS to their folder")
    return path


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start_app(*flags: str, script: str = "app.py", **environment: str) -> tuple[subprocess.Popen, str]:
    """`python app.py`, or another script, in a process of its own, ready to answer: the process and its address."""
    port = free_port()
    command = [sys.executable, script, "--port", str(port), *flags]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    url = f"http://127.0.0.1:{port}"
    for _ in range(240):
        if process.poll() is not None:
            raise RuntimeError(f"The app stopped at once:\n{process.stdout.read() if process.stdout else ''}")
        try:
            urllib.request.urlopen(url, timeout=1).close()
            return process, url
        except OSError:
            time.sleep(0.25)
    process.kill()
    raise RuntimeError("The app did not answer within a minute.")


@contextmanager
def running(*flags: str, script: str = "app.py") -> Iterator[str]:
    """The address of a page that stays until the block ends; Ctrl-C, or a kill where that does not do."""
    process, url = start_app(*flags, script=script)
    try:
        yield url
        process.send_signal(signal.SIGINT)
        process.wait(20)
    finally:
        process.kill()
        process.wait(20)
        if process.stdout:
            process.stdout.close()


@pytest.fixture(scope="session")
def page_url() -> Iterator[str]:
    """Address of a running page."""
    with running() as url:
        yield url


@pytest.fixture(scope="session")
def open_host() -> Iterator[str]:
    """Address of a page whose host allows any file of weights."""
    with running("--any-model", "1") as url:
        yield url


CHROMIUM_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def chromium() -> Iterator:
    """A real Chromium. Without one: a failure in CI, elsewhere a skip that says why."""
    named = os.environ.get("CHROMIUM", "chromium")
    path = shutil.which(named) or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        reason = "no Chromium: install it, or name it in the environment variable CHROMIUM"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()
