"""Attention Explorer: `python app.py` opens the page."""

from contextlib import suppress

from PIL import Image

from ui.page import build_demo
from ui.settings import Settings, read_settings
from ui.theme import CSS, HEAD, JS, theme

Image.MAX_IMAGE_PIXELS = 40_000_000  # Gradio may open an image before our own reader does


def launch_options(settings: Settings) -> dict:
    """What `launch` needs, for the command line and for tests alike."""
    return {
        "server_name": settings.host,
        "server_port": settings.port,
        "theme": theme,
        "css_paths": CSS,
        "head": HEAD,
        "js": JS,
        "max_file_size": "10mb",
        "state_session_capacity": 200,
        "run_history": False,
        "ssr_mode": False,
        "footer_links": ["api"],
    }


settings = read_settings(None if __name__ == "__main__" else [])
try:
    demo = build_demo(settings)
except ValueError as error:  # the opening model
    raise SystemExit(str(error)) from None

if __name__ == "__main__":
    with suppress(KeyboardInterrupt):  # Ctrl-C while the server is still starting
        demo.launch(**launch_options(settings))
