"""Named arrays in one gzip file for the browser: a header in JSON, then the numbers."""

import gzip
import json
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

MOST_ROWS, MOST_COLUMNS = 400, 128  # of a picture of a tensor: what a screen can show


@dataclass(frozen=True, eq=False)
class Sheet:
    """A picture of a tensor [rows columns]: its first rows and columns as bytes, 128 being zero."""

    codes: NDArray[np.uint8]
    scale: float  # what the strongest colour stands for: byte 255 is +scale, byte 1 is -scale


Arrays: TypeAlias = "dict[str, NDArray | Sheet]"


def sheet(values: Tensor, columns: int = MOST_COLUMNS) -> Sheet:
    """The picture of values [rows columns]; the one number in 200 that is furthest from zero is clipped."""
    x = values[:MOST_ROWS, :columns].float().cpu().numpy()
    scale = float(np.quantile(np.abs(x), 0.995)) or 1.0
    return Sheet(np.rint(128 + 127 * np.clip(x / scale, -1, 1)).astype(np.uint8), scale)


def pack(arrays: dict[str, NDArray | Sheet]) -> bytes:
    """gzip of: length of the header as uint32, the header, then each array from an offset that is a multiple of 4.

    The header lists name, type ("u1" or "f4"), shape, offset behind the header, and a sheet's scale.
    """
    header, body = [], b""
    for name, value in arrays.items():
        array = value.codes if isinstance(value, Sheet) else value
        kind = "u1" if array.dtype == np.uint8 else "f4"
        entry = {"name": name, "kind": kind, "shape": list(array.shape), "at": len(body)}
        header.append(entry | ({"scale": value.scale} if isinstance(value, Sheet) else {}))
        raw = np.ascontiguousarray(array, dtype=kind if kind == "u1" else "<f4").tobytes()
        body += raw + b"\0" * (-len(raw) % 4)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 4)
    return gzip.compress(len(text).to_bytes(4, "little") + text + body, compresslevel=1, mtime=0)


def unpack(blob: bytes) -> dict[str, NDArray | Sheet]:
    """What the browser reads: the arrays of a packed file, floats as float32."""
    raw = gzip.decompress(blob)
    start = 4 + int.from_bytes(raw[:4], "little")
    found: dict[str, NDArray | Sheet] = {}
    for e in json.loads(raw[4:start]):
        count = int(np.prod(e["shape"]))
        kind = np.uint8 if e["kind"] == "u1" else np.dtype("<f4")
        array = np.frombuffer(raw, kind, count, start + e["at"]).reshape(e["shape"])
        found[e["name"]] = Sheet(array, e["scale"]) if "scale" in e else array
    return found
