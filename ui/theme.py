"""One calm theme: neutral greys, one accent, the visitor's own system font."""

from pathlib import Path

import gradio as gr

CSS = Path(__file__).parent / "page.css"

theme = gr.themes.Base(
    primary_hue=gr.themes.colors.orange,
    neutral_hue=gr.themes.colors.zinc,
    spacing_size=gr.themes.sizes.spacing_md,
    radius_size=gr.themes.sizes.radius_md,
    text_size=gr.themes.sizes.text_md,
    font=["ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"],
    font_mono=["ui-monospace", "SFMono-Regular", "Menlo", "monospace"],
).set(
    body_background_fill="#fdfdfc",
    body_background_fill_dark="#131316",
    background_fill_primary="#fdfdfc",
    background_fill_primary_dark="#131316",
    background_fill_secondary="#f1f1ef",
    background_fill_secondary_dark="#1f1f24",
    body_text_color="#1c1c1f",
    body_text_color_dark="#ededf0",
    body_text_color_subdued="#5c5c66",
    body_text_color_subdued_dark="#a3a3ad",
    border_color_primary="#dededa",
    border_color_primary_dark="#35353c",
    block_border_width="0px",
    block_shadow="none",
    block_background_fill="transparent",
    block_background_fill_dark="transparent",
    color_accent="#c2410c",
)

# Before the first paint: the theme that this visitor chose last time.
HEAD = """<script>
try { const t = localStorage.getItem('explorer-theme'); if (t) document.documentElement.dataset.wanted = t; } catch {}
</script>"""

# Gradio marks dark mode by a class on the body; the button flips it and remembers.
JS = """() => {
  const wanted = document.documentElement.dataset.wanted;
  if (wanted) document.body.classList.toggle('dark', wanted === 'dark');
  // A click into the list of models selects the name, so that typing searches.
  document.addEventListener('click', (event) => { if (event.target.matches('#model input')) event.target.select(); });
}"""
TOGGLE = """() => {
  const dark = document.body.classList.toggle('dark');
  try { localStorage.setItem('explorer-theme', dark ? 'dark' : 'light'); } catch {}
}"""
