"""The last chapter: the annotated text's slips, in words."""

from ui.anatomy.step import Shape, Step
from vit import ViTConfig

WRONG = 4  # the chapter


def wrong(c: ViTConfig, s: dict[str, list[int]]) -> list[Step]:
    """Every step of the last chapter; the arguments are those of `steps`."""
    _, C, H, W = s["pixels"]
    N, tokens, P = s["patches"][1], s["x"][1], c.patch_size
    one_by_one = c.classes and c.readout != "class_mean"
    if one_by_one:
        many = (
            f"The text's head is applied to all tokens, so it returns {tokens} answers of {c.classes} numbers each, "
            "where one was wanted. Nothing makes them agree."
        )
    elif c.classes:
        many = (
            "The text's head is applied to all tokens. This model's head reads two things side by side, so a single "
            "token has no logits."
        )
    else:
        many = "The text's head is applied to all tokens. This model has no head, so there is nothing to apply."
    reader = "the class token alone" if c.class_token else "the class token alone, and this model to the patches' mean"
    count = c.classes or "classes"
    shapes = (Shape("logits", [1, tokens, c.classes], "batch, tokens, classes", "[1, 197, 1000]"),)
    blind = ""
    if c.readout.startswith("class") and c.readout != "class_mean":
        blind = (
            " And the class token meets nothing but other photos' class tokens, which start out the same: it never "
            "sees a patch, so its answer is the same for every photo."
        )
    return [
        Step(
            "scramble",
            WRONG,
            "Reshape without moving the axes",
            (
                f"[1, {C}, {H}, {W}] can be reshaped to {N} × {C * P * P} at once. The shape is right and no error "
                "appears, but a reshape reads the numbers in the order in which they lie: along whole lines of the "
                "photo. No row of the result is a patch.",
                "The right-hand picture is what the model is then really shown. First the grid axes have to move in "
                "front of the axes inside a patch.",
            ),
            ("(C, rows, P, cols, P)  →  (rows, cols, C, P, P),", "and only then flatten"),
            "3.1",
            (Shape("scrambled", s["patches"], "batch, not patches, numbers", "[1, 196, 768]"),),
            ("slip_scramble", "patchify"),
        ),
        Step(
            "batch",
            WRONG,
            "Attention across the batch",
            (
                "PyTorch's nn.MultiheadAttention takes the first axis for the sequence unless it is told batch_first. "
                "Handed [photos, tokens, numbers], it lets tokens of different photos attend to each other, and no "
                "token to its own photo.",
                "The patches of one photo then answer differently depending on which photo lies beside it in the "
                "batch. With one photo alone, every token attends to itself only." + blind,
            ),
            ("A ∈ ℝ^{ photos × photos}  at each place,", "instead of  A ∈ ℝ^{ tokens × tokens}  in each photo"),
            "A6",
            (
                Shape("attention here", s["attention"], "batch, heads, queries, keys"),
                Shape("in the slip, with 2 photos", [tokens, c.heads, 2, 2], "places, heads, photos, photos"),
            ),
            ("slip_batch", "scores"),
        ),
        Step(
            "nonorm",
            WRONG,
            "The norm that is thrown away",
            (
                "In the text, attention and MLP are computed first, from raw tokens; the residual connection then "
                "normalises its input, hands it to a function that ignores it, and adds what was computed before. It "
                "runs, but the norm has no effect, and its weights can never be learned.",
                "The weights here were trained with the norm in its place. Without it, both halves of a block see "
                "numbers of a size they have never met.",
            ),
            ("z + f(z)  instead of  z + f(LN(z))",),
            "eq2",
            (Shape("tokens", s["x"], "batch, tokens, numbers", "[1, 197, 768]"),),
            ("slip_norm", "residual"),
        ),
        Step(
            "each",
            WRONG,
            "The head on every token",
            (
                many,
                f"The paper attaches the head to {reader}. Asked on purpose, the patches' answers can be drawn as a "
                "map. Whether it shows where a class is depends on the model: its head was never trained on single "
                "patches.",
            ),
            (f"logits ∈ ℝ^{{ {tokens} × {count}}}  instead of  ℝ^{{ {count}}}",),
            "eq4",
            shapes if one_by_one else (),
            ("slip_head", "read_out"),
        ),
        Step(
            "squash",
            WRONG,
            "A squashed photo, not normalised",
            (
                "The text forces both sides of the photo to 224 pixels and leaves the numbers between 0 and 1. A photo "
                "that is not square loses its proportions, and the numbers are not those the weights were trained on.",
                "Each half of the slip is shown alone, then both together. How much it matters depends on the model "
                "and on the photo.",
            ),
            ("x / 255  instead of  (x / 255 − μ) / σ",),
            "weights",
            (Shape("pixels", s["pixels"], "batch, colours, rows, columns", "[1, 3, 224, 224]"),),
            ("slip_squash", "resize"),
        ),
    ]
