"""What one step of the anatomy is, and where the paper speaks of it."""

from dataclasses import asdict, dataclass

from vit import ViTConfig

PAPER = "https://ar5iv.labs.arxiv.org/html/2010.11929"
SECTIONS = {  # what the page calls it, and where it is
    "figure": ("ViT paper, figure 1", f"{PAPER}#S3.F1"),
    "3.1": ("ViT paper, section 3.1", f"{PAPER}#S3.SS1"),
    "eq1": ("ViT paper, section 3.1, equation 1", f"{PAPER}#S3.SS1"),
    "eq2": ("ViT paper, section 3.1, equation 2", f"{PAPER}#S3.SS1"),
    "eq3": ("ViT paper, section 3.1, equation 3", f"{PAPER}#S3.SS1"),
    "eq4": ("ViT paper, section 3.1, equation 4", f"{PAPER}#S3.SS1"),
    "A5": ("ViT paper, appendix A, equation 5", f"{PAPER}#A1"),
    "A6": ("ViT paper, appendix A, equation 6", f"{PAPER}#A1"),
    "A7": ("ViT paper, appendix A, equation 7", f"{PAPER}#A1"),
    "swiglu": ("Shazeer 2020, GLU Variants Improve Transformer", "https://arxiv.org/abs/2002.05202"),
    "weights": ("Not in the paper: it belongs to the weights", ""),
    "softmax": ("Not in the paper's equations, which end with y", ""),
    "A8": ("ViT paper, appendix A, equation 8", f"{PAPER}#A1"),
}
CHAPTERS = ("From photo to tokens", "Inside one block", "All blocks", "The answer", "What goes wrong otherwise")


@dataclass(frozen=True)
class Shape:
    """One tensor of a step: its shape here, what its axes are, and its shape in the annotated text ("" if none)."""

    name: str
    shape: list[int]
    axes: str
    text: str = ""


@dataclass(frozen=True)
class Step:
    """One step. Formulas may hold _{…} and ^{…} for letters below and above the line."""

    key: str
    chapter: int
    title: str
    words: tuple[str, ...]
    formulas: tuple[str, ...]
    section: str
    shapes: tuple[Shape, ...]
    sources: tuple[str, ...]  # keys of `source.snippets()`

    def plain(self) -> dict:
        """As JSON for the browser, the section resolved to a label and an address."""
        label, url = SECTIONS[self.section]
        return asdict(self) | {"paper": label, "url": url}


def prefix_words(config: ViTConfig) -> list[str]:
    """What stands in front of the patches, in words."""
    words = ["a class token"] * config.class_token + ["a distillation token"] * config.distillation_token
    if config.registers:
        words.append("a register" if config.registers == 1 else f"{config.registers} registers")
    return words


def listed(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)
