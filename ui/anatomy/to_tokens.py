"""The first chapter: from the photo to the tokens that enter the first block."""

from ui.anatomy.step import Shape, Step, listed, prefix_words
from vit import Preprocess, ViTConfig


def to_tokens(
    c: ViTConfig, s: dict[str, list[int]], photo: tuple[int, int], p: Preprocess, learned_at: bool
) -> list[Step]:
    """Every step up to the first block; the arguments are those of `steps`."""
    _, C, H, W = s["pixels"]
    P, D, N = c.patch_size, c.width, s["patches"][1]
    rows, cols = H // P, W // P
    front = prefix_words(c)
    tokens = N + c.prefix
    cut = [1, C, rows, P, cols, P]
    fixed = c.positions != "learned"
    rule = "sincos_1d" if c.positions == "sincos_1d" else "sincos_2d"
    return [
        Step(
            "photo",
            0,
            "A photo is a block of numbers",
            (
                f"Your photo has {photo[1]} rows and {photo[0]} columns of pixels, and three numbers from 0 to 255 for "
                "each: red, green, blue. Nothing else goes into the model.",
                "The next steps turn these numbers into a sequence of tokens, which is what a transformer reads.",
            ),
            ("x ∈ {0, …, 255}^{ H × W × 3}",),
            "3.1",
            (Shape("photo", [photo[1], photo[0], 3], "rows, columns, colours"),),
            ("read",),
        ),
        Step(
            "crop",
            0,
            "Resized and cropped",
            (
                _crop_words(p, H, W),
                "Size, crop and interpolation belong to the weights: another model wants others.",
            ),
            (f"x ∈ {{0, …, 255}}^{{ {H} × {W} × {C}}}",),
            "weights",
            (Shape("picture", [H, W, C], "rows, columns, colours", "[224, 224, 3]"),),
            ("resize",),
        ),
        Step(
            "normalise",
            0,
            "Normalised",
            (
                "Each number is brought to a scale of 0 to 1; then a mean μ is taken off and the rest divided by a "
                "deviation σ, one of each per colour, as in this model's training. The numbers now lie around 0.",
                "The axes change places too: colours first, and a batch axis in front, because models work on several "
                "photos at once.",
            ),
            ("x̂_{c} = (x_{c} / 255 − μ_{c}) / σ_{c}",),
            "weights",
            (Shape("pixels", s["pixels"], "batch, colours, rows, columns", "[1, 3, 224, 224]"),),
            ("normalise",),
        ),
        Step(
            "patches",
            0,
            "Cut into patches",
            (
                f"The picture is cut into {rows} × {cols} = {N} squares of {P} × {P} pixels, the patches. They do not "
                "overlap and nothing is lost.",
                "Choose a patch: click one in the picture. It stays chosen in all steps that follow, and in the "
                "explorer.",
            ),
            ("N = H·W / P^{2}" + f" = {H}·{W} / {P}^{{2}} = {N}",),
            "3.1",
            (
                Shape(
                    "axes split",
                    cut,
                    "batch, colours, grid rows, rows, grid columns, columns",
                    "[1, 3, 14, 16, 14, 16]",
                ),
                Shape("axes moved", [1, rows, cols, C, P, P], "batch, grid rows, grid cols, colours, rows, cols"),
            ),
            ("patchify",),
        ),
        Step(
            "flatten",
            0,
            "Each patch becomes one long row",
            (
                f"The {P} × {P} × {C} = {C * P * P} numbers of a patch are written one after another: all of red, then "
                "green, then blue. The photo is now a list of rows, like words in a sentence.",
                "Below, every line is one patch. The text that this page follows cuts 224 pixels into patches of 16: "
                "196 rows of 768 numbers.",
            ),
            ("x_{p} ∈ ℝ^{ N × (P² · C)}" + f" = ℝ^{{ {N} × {C * P * P}}}",),
            "3.1",
            (Shape("patches", s["patches"], "batch, patches, numbers", "[1, 196, 768]"),),
            ("patchify",),
        ),
        Step(
            "project",
            0,
            "Projected to the model's width",
            (
                f"One learned matrix E turns each row of {C * P * P} numbers into {D}, the width that all tokens keep "
                "from here on. Each of the new numbers says how well the patch fits one learned pattern.",
                "Code usually does this with a convolution whose stride equals its kernel. Flatten-and-multiply gives "
                "the same: both were run on your photo, and the largest difference stands beside the picture.",
            ),
            ("z^{i} = x^{i}_{p} E + b,   E ∈ ℝ" + f"^{{ {C * P * P} × {D}}}",),
            "eq1",
            (
                Shape("kernels", s["weight"], "numbers, colours, rows, columns", "[768, 3, 16, 16]"),
                Shape("E, transposed", s["matrix"], "numbers, patch numbers", "[768, 768]"),
                Shape("projected", s["projected"], "batch, patches, numbers", "[1, 196, 768]"),
            ),
            ("convolution", "project"),
        ),
        Step(
            "prefix",
            0,
            "A class token in front"
            if front == ["a class token"]
            else "Tokens in front"
            if front
            else "Nothing in front",
            _prefix_words(c, front, N, tokens),
            ("[x_{class}; x^{1}_{p}E; x^{2}_{p}E; …; x^{N}_{p}E]",)
            if c.class_token
            else ("[x^{1}_{p}E; x^{2}_{p}E; …; x^{N}_{p}E]",),
            "eq1",
            (
                Shape("in front", s["prefix"], "batch, tokens, numbers", "[1, 1, 768]"),
                Shape("all tokens", s["prefixed"], "batch, tokens, numbers", "[1, 197, 768]"),
            ),
            ("prefix", "embed"),
        ),
        Step(
            "positions",
            0,
            "Positions added",
            (
                "Attention does not know where a token stands: with the patches shuffled, the answer would be the "
                "same. So each place has a row of numbers of its own, which is added to the token that stands there. "
                + (
                    "Here they are computed from sines and cosines and not learned."
                    if fixed
                    else "Here they were learned."
                ),
                "The maps show how alike the rows of two places are, as the cosine of their angle: the chosen place "
                "against all others. Beside the model's own, fixed sine-cosine positions, half of whose numbers (w) "
                "tell the row and half the column; the text describes those and then, like the paper, learns them."
                + (
                    ""
                    if learned_at or fixed
                    else " This photo's grid is not the one they were learned at, so they were resized."
                )
                + (" This model then normalises the sum, before the first block." if c.norm_before_blocks else ""),
            ),
            (
                "z_{0} = [x_{class}; x^{1}_{p}E; …; x^{N}_{p}E] + E_{pos}"
                if c.class_token
                else "z_{0} = [x^{1}_{p}E; …; x^{N}_{p}E] + E_{pos}",
                "fixed (Vaswani et al. 2017): PE_{p, 2i} = sin(p / 10000^{2i/w})",
                "PE_{p, 2i+1} = cos(p / 10000^{2i/w})",
            ),
            "eq1",
            (
                Shape("positions", s["positions"], "tokens, numbers", "[197, 768]"),
                Shape("tokens", s["embedded"], "batch, tokens, numbers", "[1, 197, 768]"),
            ),
            ("embed", "positions", rule) + (("pre_norm",) if c.norm_before_blocks else ()),
        ),
    ]


def _prefix_words(c: ViTConfig, front: list[str], patches: int, tokens: int) -> tuple[str, ...]:
    if not front:
        return (
            f"The paper puts a learned class token in front of the patches and reads the answer from it. This model "
            f"has none: it averages the patches at the end. So it stays at {patches} tokens.",
        )
    why = "It is the same for every photo; in the blocks it gathers what the head will need. " if c.class_token else ""
    rest = []
    if c.registers:
        rest.append("Registers are learned tokens that stand for no patch: room for the model to work in.")
    if c.distillation_token:
        rest.append("The distillation token is a second class token, trained to repeat a teacher's answers.")
    return (
        f"{listed(front)[0].upper()}{listed(front)[1:]}, learned in training, {'is' if c.prefix == 1 else 'are'} put "
        f"in front of the {patches} patches. {why}Now there are {tokens} tokens.",
        *([" ".join(rest)] if rest else []),
    )


def _crop_words(p: Preprocess, height: int, width: int) -> str:
    if p.mode == "squash":
        shape = "its height and width are resized to the model's without regard to its proportions"
    else:
        shape = "it is resized with its proportions kept"
    kept = "and the middle cut out" if p.mode == "crop" or p.crop < 1 else "and nothing is cut off"
    return (
        f"A model expects the size that it is made for, here {height} × {width} pixels. So {shape}, {kept}. What lies "
        "outside the bright part is never seen."
    )
