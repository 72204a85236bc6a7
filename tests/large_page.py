"""The explorer alone, of a model of 24 layers, 16 heads and 577 tokens: attention of the right form from random scores.

`python tests/large_page.py --port 7860` serves it; benchmarks and tests open it.
"""

import gradio as gr
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ui.engine import Analysis, analyse
from ui.explorer import Explorer
from ui.settings import read_settings
from ui.side import example_photos


def random_layer(heads: int = 16, tokens: int = 577) -> NDArray[np.float32]:
    """Planes [heads+1 query key] whose rows sum to 1."""
    scores = np.random.default_rng(0).normal(size=(heads + 1, tokens, tokens)).astype(np.float32) * 3
    weights = np.exp(scores)
    return weights / weights.sum(-1, keepdims=True)


def random_analysis(depth: int = 24) -> Analysis:
    """A photo in the embedded model with other attention: each layer has the heads of the one before, turned by one."""
    real = analyse(Image.open(example_photos()[0]["file"]).convert("RGB"), "embedded_small_patch14_224")
    weights = random_layer()
    planes = tuple(np.roll(weights, layer, axis=0) for layer in range(depth))
    shares = np.full((depth, 1000), 0.001, np.float32)
    return Analysis(real.pretrained, real.image, real.original, real.box, planes, (24, 24), 1, shares)


if __name__ == "__main__":
    from app import launch_options  # builds the whole page, which those who import this file do not need

    analysis = random_analysis()
    with gr.Blocks() as demo:
        explorer = Explorer(elem_id="explorer")
        demo.load(lambda: analysis, None, explorer)
    demo.launch(**launch_options(read_settings()))
