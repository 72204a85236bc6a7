"""Lines of our own source, read where they stand, so that what the page shows is what runs."""

import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ui.anatomy import numbers, slips
from vit import images, model, positions, preprocess

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Snippet:
    """Consecutive lines of one file, without their common indentation."""

    file: str  # from the root of the project
    line: int  # number of the first line, from 1
    text: str

    @classmethod
    def of(cls, what: Callable | type, first: str = "", last: str = "") -> "Snippet":
        """The source of a function or class, from the line that contains `first` to the next that contains `last`.

        Without `first` all of it; with `first` alone that one line. Raises ValueError when a line is not there.
        """
        lines, start = inspect.getsourcelines(what)
        if first:
            begin = _find(lines, first, 0)
            end = _find(lines, last, begin) if last else begin
            lines, start = lines[begin : end + 1], start + begin
        file = Path(inspect.getsourcefile(what) or "").resolve().relative_to(ROOT)
        return cls(file.as_posix(), start, textwrap.dedent("".join(lines)).rstrip())


def _find(lines: list[str], words: str, start: int) -> int:
    for i in range(start, len(lines)):
        if words in lines[i]:
            return i
    raise ValueError(f"No line of this source contains {words!r}.")


def snippets() -> dict[str, Snippet]:
    """Every snippet that a step names."""
    m, p = model, preprocess.Preprocess
    embed, attend, residual = m.PatchEmbedding, m.MultiHeadSelfAttention, m.ResidualConnection
    init = embed.__init__
    s = Snippet.of
    return {
        "read": s(images._eight_bit_rgb),
        "resize": s(p.__call__, "image = to_rgb", "return Prepared"),
        "normalise": s(p.normalise),
        "patchify": s(m.patchify),
        "convolution": s(init, "# A convolution whose", "self.projection ="),
        "project": s(embed.project),
        "prefix": s(embed.prefix_tokens),
        "embed": s(embed.forward),
        "positions": s(embed.positions_for),
        "sincos_1d": s(positions.sincos_1d),
        "sincos_2d": s(positions.sincos_2d),
        "pre_norm": s(m.ViT.embed),
        "residual": s(residual.forward),
        "add": s(residual.add),
        "norm": s(residual.__init__, "self.norm =", "self.dropout ="),
        "qkv": s(attend.queries_keys_values),
        "scores": s(attend.scores),
        "attend": s(attend.trace),
        "join": s(attend.join),
        "block": s(m.TransformerEncoderBlock.trace),
        "block_forward": s(m.TransformerEncoderBlock.forward),
        "mlp": s(m.MLP, "def hidden", "return self.fc2"),
        "swiglu": s(m.SwiGLU, "def hidden", "return self.fc2"),
        "blocks": s(m.ViT.trace, "for block, room", "attentions.append"),
        "read_out": s(m.ViT.read_out),
        "classify": s(m.ClassificationHead.classify),
        "head": s(m.ClassificationHead.forward),
        "answer": s(numbers.best),
        "slip_scramble": s(slips.scramble),
        "slip_batch": s(slips.across_the_batch),
        "slip_norm": s(slips.norm_thrown_away),
        "slip_head": s(slips.head_on_every_token),
        "slip_squash": s(slips.squashed),
    }
