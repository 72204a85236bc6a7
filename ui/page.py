"""The whole page: header, tabs and the HTTP endpoints."""

import gradio as gr

import vit
from ui import endpoints, explore
from ui.engine import MODELS, best_device
from ui.photo import PhotoInput
from ui.settings import Settings
from ui.theme import TOGGLE

_TITLE = """<h1>Attention Explorer</h1>
<p>See where a Vision Transformer looks, layer by layer.</p>"""


def default_model() -> str:
    """The most accurate of the models that are on disk; the embedded one when nothing better is there."""
    here = [name for name in vit.available() if vit.is_local(name)]
    return max(here, key=lambda name: vit.checkpoint(name).top1 or 0)


def entry(name: str) -> str:
    """A model's line in the list of models."""
    c = vit.checkpoint(name)
    return c.title if vit.is_local(name) else f"{c.title} · get {c.bytes / 1e6:.0f} MB"


def card(name: str) -> str:
    """One line about a model, beside its name."""
    c = vit.checkpoint(name)
    return f"{c.parameters / 1e6:.0f} M parameters · {c.image_size} px · patch {c.patch}"


def build_demo(settings: Settings | None = None) -> gr.Blocks:
    """The page as Gradio Blocks; `settings` default to those of the environment."""
    s = settings or Settings()
    if not s.device:
        s = Settings(**{**vars(s), "device": best_device()})
    MODELS.budget = s.memory * 1e9
    first = s.model or default_model()
    with gr.Blocks(title="Attention Explorer", delete_cache=(1800, 7200), analytics_enabled=False) as demo:
        with gr.Row(elem_id="top"):
            gr.HTML(_TITLE, elem_id="title", apply_default_css=False)
            line = gr.HTML(card(first), elem_id="card", apply_default_css=False)
            model = gr.Dropdown(
                [(entry(name), name) for name in vit.available()],
                value=first,
                show_label=False,
                label="Model",
                container=False,
                elem_id="model",
                interactive=True,
            )
            toggle = gr.Button("Light / dark", elem_id="toggle", size="sm")
        toggle.click(None, js=TOGGLE, api_visibility="private")
        model.change(card, model, line, api_visibility="private", queue=False, show_progress="hidden")
        explore.build(s, demo, model, first)
        _endpoints(s)
    return demo.queue(max_size=s.queue)


def _endpoints(s: Settings) -> None:
    """Endpoints without a place on the page; their names are fixed."""

    def models() -> list[dict]:
        """List the models: name, sizes, source, and whether the weights are here or must be downloaded."""
        return endpoints.models()

    gr.api(models, api_name="models", concurrency_limit=4)

    def explain(image, model, method, target, options):
        """Explain a photo: `target` is a class name or number, `options` JSON text; both may be empty."""
        return endpoints.explain(image, model, method, target, options, s.device)

    with gr.Column(visible=False):
        inputs = [PhotoInput(type="filepath", image_mode=None, label="image")]
        inputs += [gr.Textbox(label=name) for name in ("model", "method", "target", "options")]
        outputs = [gr.Image(type="pil", label="overlay", format="png"), gr.JSON(label="explanation")]
        gr.Button().click(explain, inputs, outputs, api_name="explain", concurrency_id="model")
