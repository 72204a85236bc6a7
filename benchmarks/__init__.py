"""Measurements against other libraries, side by side in one process. Nothing in vit, visualize or ui needs this."""

import torch

try:
    import torchvision  # noqa: F401  timm imports it
except RuntimeError:
    # As in tests/conftest.py: a torchvision built for CUDA beside a CPU torch looks for operators that nobody needs.
    _torchvision_ops = torch.library.Library("torchvision", "DEF")
    for _name in ("nms", "qnms"):
        _torchvision_ops.define(f"{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
except ImportError:
    pass
