"""Attention on its way to the browser: one byte per weight, one gzip file per layer.

A row is divided by its largest weight and stored as round(255 * sqrt(weight / largest)), the largest beside it as a
32-bit float. The square root keeps small weights apart in rows that one token dominates, and the error of a decoded
weight stays below 1/255 of its row's largest: the derivative of the square is at most 2, half a step is 0.5/255.
"""

import gzip

import numpy as np
from numpy.typing import NDArray


def quantise(rows: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Codes of `rows` [... keys] and the largest weight of each row [...]. Weights must not be negative."""
    largest = rows.max(axis=-1)
    share = rows / np.maximum(largest, np.finfo(np.float32).tiny)[..., None]
    return np.rint(255 * np.sqrt(share)).astype(np.uint8), largest.astype("<f4")


def dequantise(codes: NDArray[np.uint8], largest: NDArray[np.float32]) -> NDArray[np.float32]:
    """The weights that the browser sees: [... keys] from codes [... keys] and largest weights [...]."""
    return (largest[..., None] * np.square(codes / np.float32(255))).astype(np.float32)


def pack(planes: NDArray[np.float32]) -> bytes:
    """One layer, ready to send: gzip of the largest weights [planes query], then the codes [planes query key]."""
    codes, largest = quantise(planes)
    # mtime: the same photo gives the same bytes, so the same file, which the browser may still have
    return gzip.compress(largest.tobytes() + codes.tobytes(), compresslevel=1, mtime=0)


def unpack(blob: bytes, planes: int, tokens: int) -> NDArray[np.float32]:
    """The weights [planes query key] of one packed layer, as the browser decodes them."""
    raw = gzip.decompress(blob)
    head = planes * tokens * 4
    largest = np.frombuffer(raw[:head], "<f4").reshape(planes, tokens)
    return dequantise(np.frombuffer(raw[head:], np.uint8).reshape(planes, tokens, tokens), largest)
