"""All numbers of one photo in one file."""

import io
import json
import platform
from datetime import datetime, timezone

import numpy as np
import torch

from ui.engine import Analysis, fingerprint


def manifest(a: Analysis) -> dict:
    """What the numbers are about: photo, model, weights, versions. Plain JSON, without what only one export knows."""
    c = a.pretrained.checkpoint
    return {
        "model": c.name,
        "weights_sha256": a.pretrained.sha256,
        "licence": c.licence,
        "photo_sha256": fingerprint(a.original),
        "photo_sha256_of": "RGB pixels of the upright photo, row by row",
        "photo_size": list(a.original.size),
        "crop_box": list(a.box),
        "image_size": list(a.image.size),
        "grid": list(a.grid),
        "prefix_tokens": a.prefix,
        "predictions": a.predictions,
        "versions": {"torch": torch.__version__, "numpy": np.__version__, "python": platform.python_version()},
    }


def npz_bytes(a: Analysis, options: dict | None = None) -> bytes:
    """Every attention [head query key] and rollout [query key] with the manifest, as one compressed NPZ file.

    Layers are numbered from 01, as on the page. `options`: what was chosen on the page, for the manifest.
    """
    facts = {
        **manifest(a),
        "axes": {"attention_layer_NN": "[head query key]", "rollout_layer_NN": "[query key]"},
        "precision": "16-bit floats",
        "options": options or {},
        "made": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }
    arrays = {}
    for i, planes in enumerate(a.planes, start=1):
        arrays[f"attention_layer_{i:02d}"] = planes[:-1].astype(np.float16)
        arrays[f"rollout_layer_{i:02d}"] = planes[-1].astype(np.float16)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, manifest=np.array(json.dumps(facts, indent=1)), **arrays)
    return buffer.getvalue()
