from visualize.methods import METHODS, Method, explain
from visualize.methods.rollout import rollout, rollout_by_layer
from visualize.render import COLORMAPS, Scale, backdrop, colorbar, fit_scale, overlay, patch_grid
from visualize.sheets import head_grid, layer_strip
from visualize.tokens import query_row, read_out_row, to_grid, token_index

__all__ = [
    "COLORMAPS",
    "METHODS",
    "Method",
    "Scale",
    "backdrop",
    "colorbar",
    "explain",
    "fit_scale",
    "head_grid",
    "layer_strip",
    "overlay",
    "patch_grid",
    "query_row",
    "read_out_row",
    "rollout",
    "rollout_by_layer",
    "to_grid",
    "token_index",
]
