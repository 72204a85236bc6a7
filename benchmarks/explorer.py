"""What the explorer costs: from a photo to the first picture, from the pointer to the frame, and in bytes.

    python -m benchmarks.explorer

Needs Chromium and Playwright. Starts the page itself and opens it in a fresh, headless browser without a GPU, once at
full speed and once as over a slow line (20 Mbit/s, 80 ms; the browser's own emulation). Times are medians:

- upload to first paint: from choosing a file, through the model, to the frame that shows the last layer; the server's
  own share of it stands beside; "all layers" is when every layer has arrived.
- pointer to frame: from the page's hearing of the pointer to the end of the animation frame that has drawn it; median
  and 95th percentile over a walk across the patches. "Script" is the part that our drawing takes. The aim is under
  8 ms. (The screen's own beat, which decides when a page hears of the pointer, is not in it.)
- bytes of one photo's attention (layers × heads × tokens², from a real photo): linear or square-root steps, with and
  without gzip, one file per layer, and base64 text in one JSON value for comparison.
"""

import argparse
import base64
import gzip
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import vit
from ui.engine import analyse
from ui.side import example_photos
from ui.transport import pack, quantise

ROOT = Path(__file__).resolve().parents[1]
AIM_MS = 8.0
SLOW = {"latency": 80, "downloadThroughput": 20e6 / 8, "uploadThroughput": 20e6 / 8}
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]

# Measured by the page itself: script of each animation frame, and the time from a pointer's event to the frame's end.
PROBE = """() => {
  window.probe = { script: [], pointer: [] };
  let moved = 0;
  const ask = window.requestAnimationFrame.bind(window);
  window.requestAnimationFrame = (draw) => ask((at) => {
    const start = performance.now();
    draw(at);
    const end = performance.now();
    if (!moved) return;
    window.probe.script.push(end - start);
    window.probe.pointer.push(end - moved);
    moved = 0;
  });
  document.addEventListener('pointermove', () => { moved = performance.now(); }, true);
}"""
FIRST_PAINT = """old => new Promise((done) => {
  const look = () => {
    const root = document.querySelector('#explorer .ax');
    const here = root.dataset.state === 'ready' && root.querySelectorAll('.ax-arrived .here').length;
    if (here && root.dataset.complete !== old) done(performance.timeOrigin + performance.now());
    else requestAnimationFrame(look);
  };
  look();
})"""
COMPLETE = "old => { const c = document.querySelector('#explorer .ax')?.dataset.complete; return c && c !== old; }"


@contextmanager
def served(script: str) -> Iterator[str]:
    """A page in a process of its own: its address."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    environment = {**os.environ, "GRADIO_ANALYTICS_ENABLED": "False", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, script, "--port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            with suppress(OSError):
                urllib.request.urlopen(url, timeout=1).close()
                break
            time.sleep(0.25)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def opened(browser, url: str, slow: bool = False):
    """A page with the explorer complete; its network slowed down if asked."""
    page = browser.new_context(viewport={"width": 1280, "height": 720}).new_page()
    page.goto(url)
    page.wait_for_function(COMPLETE, arg="", timeout=120_000)
    if slow:
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.send("Network.emulateNetworkConditions", {"offline": False, **SLOW})
    return page


def uploads(page, photos: list[str]) -> tuple[float, float]:
    """Medians in ms of choosing a photo to the first paint, and to all layers."""
    first, all_layers = [], []
    for photo in photos:
        old = page.locator("#explorer .ax").get_attribute("data-complete") or ""
        if not page.locator("#photo input[type=file]").count():
            page.locator("#photo button").first.click()
        page.wait_for_selector("#photo input[type=file]", state="attached")
        page.wait_for_timeout(300)
        start = time.time()
        page.locator("#photo input[type=file]").set_input_files(photo)
        first.append(page.evaluate(FIRST_PAINT, old) - 1e3 * start)
        page.wait_for_function(COMPLETE, arg=old, polling=10)
        all_layers.append(1e3 * (time.time() - start))
    return statistics.median(first), statistics.median(all_layers)


def pointer(page, moves: int, before: str = "") -> dict[str, NDArray]:
    """Walk over the picture from patch to patch; times in ms of the frames that followed."""
    if before:
        page.evaluate(before)
        page.wait_for_timeout(1500)
    page.evaluate(PROBE)
    canvas = page.locator("[data-role=picture]")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    rng = np.random.default_rng(0)
    for x, y in rng.uniform(0.02, 0.98, (moves, 2)):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
        page.wait_for_timeout(float(rng.uniform(20, 40)))
    return {name: np.array(times) for name, times in page.evaluate("() => window.probe").items()}


def sizes(name: str, photo: str) -> None:
    """Print the bytes of one photo's attention in each form of transport."""
    planes = [p[:-1] for p in analyse(Image.open(photo).convert("RGB"), name).planes]
    heads, tokens = planes[0].shape[0], planes[0].shape[-1]
    linear = [
        (p.max(-1).astype("<f4").tobytes(), np.rint(255 * p / p.max(-1, keepdims=True)).astype(np.uint8))
        for p in planes
    ]
    root = [(largest.tobytes(), codes) for codes, largest in map(quantise, planes)]
    floats = sum(p.nbytes for p in planes)
    print(f"\nbytes of one photo, {len(planes)} × {heads} × {tokens}²: {floats / 1e6:.1f} MB as 32-bit floats")
    print(f"{'':<36} {'linear':>9} {'root':>9}")
    raw = [sum(len(top) + codes.nbytes for top, codes in form) for form in (linear, root)]
    for label, level in (("one byte a weight", None), ("gzip level 1, per layer", 1), ("gzip level 6, per layer", 6)):
        cells = [
            size if level is None else sum(len(gzip.compress(t + c.tobytes(), level)) for t, c in form)
            for size, form in zip(raw, (linear, root), strict=True)
        ]
        print(f"{label:<36} " + " ".join(f"{cell / 1e6:>6.2f} MB" for cell in cells))
    text = sum(len(base64.b64encode(top + codes.tobytes())) for top, codes in root)
    sent = sum(len(pack(p)) for p in planes)
    start = time.perf_counter()
    for p in planes:
        pack(p)
    took = 1e3 * (time.perf_counter() - start)
    print(f"{'base64 in one value':<36} {'':>9} {text / 1e6:>6.2f} MB; gzip per layer is {sent / text:.2f} of it")
    print(f"quantised and packed in {took:.0f} ms")
    small = [
        np.mean([(c[p > 0] == 0).mean() for p, (_, c) in zip(planes, form, strict=True)]) for form in (linear, root)
    ]
    print(f"weights that become nothing: {small[0]:.1%} linear, {small[1]:.1%} root")


def report(label: str, times: dict[str, NDArray]) -> float:
    both = [np.percentile(times[name], (50, 95)) for name in ("pointer", "script")]
    cells = " ".join(f"{middle:>6.1f} {high:>6.1f}" for middle, high in both)
    print(f"{label:<36} {len(times['pointer']):>6} {cells}", flush=True)
    return float(both[0][1])


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.explorer", description="From a photo to the picture, from the pointer to the frame."
    )
    parser.add_argument("--moves", type=int, default=200, help="moves of the pointer in each walk (default: 200)")
    parser.add_argument("--rounds", type=int, default=3, help="times that each photo is uploaded (default: 3)")
    parser.add_argument("--only-bytes", action="store_true", help="no browser: count bytes only")
    arguments = parser.parse_args()
    photos = [entry["file"] for entry in example_photos()][1:5]
    name = vit.available()[0]
    if not arguments.only_bytes:
        browse(name, photos, arguments.rounds, arguments.moves)
    sizes(name, photos[0])


def browse(name: str, photos: list[str], rounds: int, moves: int) -> None:
    from playwright.sync_api import sync_playwright

    path = shutil.which(os.environ.get("CHROMIUM", "chromium")) or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        print(f"Chromium {browser.version}, headless, 1280 × 720, {name}\n")
        with served("app.py") as url:
            pixels = [Image.open(photo).convert("RGB") for photo in photos]
            analyse(pixels[0], name)
            start = time.perf_counter()
            for image in pixels:
                analyse(image, name)
            model = 1e3 * (time.perf_counter() - start) / len(pixels)
            print(f"{'upload':<36} {'first paint':>12} {'all layers':>12}   (model alone {model:.0f} ms)")
            medians = []
            for label, slow in (("this computer", False), ("20 Mbit/s, 80 ms", True)):
                page = opened(browser, url, slow)
                first, rest = uploads(page, photos * rounds)
                medians.append(first)
                print(f"{label:<36} {first:>9.0f} ms {rest:>9.0f} ms", flush=True)
                page.context.close()
            print(f"slow line / this computer: {medians[1] / medians[0]:.2f}\n")
            print(f"{'pointer to frame, in ms':<36} {'frames':>6} {'median':>6} {'95%':>6} {'script':>6} {'95%':>6}")
            page = opened(browser, url)
            worst = report("mean of 6 heads, 257 tokens", pointer(page, moves))
            page = opened(browser, url)
            press = "name => document.querySelector(`#explorer ${name}`).click()"
            report("with the matrix open", pointer(page, moves, f"() => ({press})('[data-act=matrix]')"))
            page = opened(browser, url)
            report(
                "who sees it, sinks hidden",
                pointer(
                    page,
                    moves,
                    f"""() => {{ ({press})('[data-value="to"]');
                ({press})('[data-pick=sinks]'); }}""",
                ),
            )
        with served("tests/large_page.py") as url:
            page = opened(browser, url)
            report("mean of 16 heads, 577 tokens", pointer(page, moves))
        browser.close()
    print(f"\n95% of frames within {worst:.1f} ms; the aim is {AIM_MS:.0f} ms")


if __name__ == "__main__":
    main()
