"""From logits to an answer."""

import numpy as np
import torch
from numpy.typing import NDArray


def best(logits: NDArray[np.float32] | None, labels: tuple[str, ...], count: int = 3) -> list[dict]:
    """The leading classes of logits [classes]: name, logit and share, best first; none where there are no numbers."""
    if logits is None or not np.isfinite(logits).all():
        return []
    shares = torch.from_numpy(logits).double().softmax(-1).numpy()
    order = np.argsort(-logits, kind="stable")[:count]
    return [{"name": labels[i], "logit": round(float(logits[i]), 4), "share": float(shares[i])} for i in order]
