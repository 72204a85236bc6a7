"""The whole page: header, tabs and the HTTP endpoints."""

from dataclasses import replace

import gradio as gr

from ui import anatomy, endpoints, explain, explore, layers, models, side
from ui import model as model_tab
from ui.engine import MODELS, best_device
from ui.photo import PhotoInput
from ui.settings import Settings
from ui.tab import Visit
from ui.theme import TOGGLE

_TITLE = """<h1>Attention Explorer</h1>
<p>See where a Vision Transformer looks, layer by layer.</p>"""


def build_demo(settings: Settings | None = None) -> gr.Blocks:
    """The page as Gradio Blocks. Raises ValueError with a sentence if the opening model is not known."""
    s = settings or Settings()
    if not s.device:
        s = replace(s, device=best_device())
    MODELS.budget = s.memory * 1e9
    first = models.known(s.model, s.any_model) if s.model else models.default_model()
    with gr.Blocks(title="Attention Explorer", delete_cache=(1800, 7200), analytics_enabled=False) as demo:
        with gr.Row(elem_id="top"):
            gr.HTML(_TITLE, elem_id="title", apply_default_css=False)
            line = gr.HTML(models.line(first), elem_id="line", apply_default_css=False)
            model = gr.Dropdown(
                models.choices(),
                value=first,
                allow_custom_value=s.any_model,
                show_label=False,
                label="Model",
                container=False,
                elem_id="model",
                interactive=True,
            )
            toggle = gr.Button("Light / dark", elem_id="toggle", size="sm")
        toggle.click(None, js=TOGGLE, api_visibility="private")
        with gr.Row(elem_id="body", equal_height=False):
            left = side.build(s, first)
            visit = Visit(s, left.photo, model, left.size, run=gr.State(), active=gr.State("Explore"))
            with gr.Column(scale=1, min_width=320, elem_id="right"), gr.Tabs(elem_id="tabs"):
                with gr.Tab("Explore") as tab:
                    explore.build(visit, tab, left, demo, line, first)
                with gr.Tab("Explain") as tab:
                    explain.build(visit, tab)
                with gr.Tab("Layers and heads") as tab:
                    layers.build(visit, tab)
                with gr.Tab("Model") as tab:
                    model_tab.build(visit, tab)
                with gr.Tab("Anatomy") as tab:
                    anatomy.build(visit, tab)
        _endpoints(s)
    return demo.queue(max_size=s.queue)


def _endpoints(s: Settings) -> None:
    """Endpoints without a place on the page; their names are fixed."""

    gr.api(endpoints.models, api_name="models", concurrency_limit=4)

    def explain(image, model, method, target, options):
        """Explain a photo: `target` is a class name or number, `options` JSON text; both may be empty."""
        return endpoints.explain(image, model, method, target, options, s)

    with gr.Column(visible=False):
        inputs = [PhotoInput(type="filepath", image_mode=None, label="image")]
        inputs += [gr.Textbox(label=name) for name in ("model", "method", "target", "options")]
        outputs = [gr.Image(type="pil", label="overlay", format="png"), gr.JSON(label="explanation")]
        gr.Button().click(explain, inputs, outputs, api_name="explain", concurrency_id="model")
