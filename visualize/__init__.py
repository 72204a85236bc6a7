from visualize.checks import agreement, model_dependence, randomised, rank_correlation, stability
from visualize.faithfulness import (
    Faithfulness,
    Perturbation,
    change_patches,
    insertion_deletion,
    lerf_morf,
    patch_order,
    perturbation,
)
from visualize.methods import METHODS, Method, explain
from visualize.methods.rollout import rollout, rollout_by_layer
from visualize.render import COLORMAPS, Scale, backdrop, colorbar, fit_scale, overlay, patch_grid
from visualize.sheets import head_grid, layer_strip
from visualize.stats import (
    attention_distance,
    attention_entropy,
    locality,
    patch_distances,
    prefix_attention,
    self_attention,
    sink_share,
    sink_tokens,
    token_norms,
)
from visualize.tokens import query_row, read_out_row, to_grid, token_index

__all__ = [
    "COLORMAPS",
    "METHODS",
    "Faithfulness",
    "Method",
    "Perturbation",
    "Scale",
    "agreement",
    "attention_distance",
    "attention_entropy",
    "backdrop",
    "change_patches",
    "colorbar",
    "explain",
    "fit_scale",
    "head_grid",
    "insertion_deletion",
    "layer_strip",
    "lerf_morf",
    "locality",
    "model_dependence",
    "overlay",
    "patch_distances",
    "patch_grid",
    "patch_order",
    "perturbation",
    "prefix_attention",
    "query_row",
    "randomised",
    "rank_correlation",
    "read_out_row",
    "rollout",
    "rollout_by_layer",
    "self_attention",
    "sink_share",
    "sink_tokens",
    "stability",
    "to_grid",
    "token_index",
    "token_norms",
]
