"""The chapters in the middle and the end: one block opened, all blocks, the answer."""

from ui.anatomy.step import Shape, Step
from vit import ViTConfig


def block(c: ViTConfig, s: dict[str, list[int]]) -> list[Step]:
    D, h, d = c.width, c.heads, c.width // c.heads
    tokens = s["x"][1]
    three = "batch, tokens, numbers"
    four = "batch, heads, tokens, numbers"
    scaled = (
        " This model first multiplies the update by a learned factor per number (LayerScale)."
        if c.layer_scale is not None
        else ""
    )
    gated = c.mlp == "swiglu"
    name = {"gelu": "GELU", "gelu_tanh": "GELU (tanh form)", "quick_gelu": "quick GELU", "relu": "ReLU"}[c.activation]
    return [
        Step(
            "norm",
            1,
            "Normalise each token",
            (
                "A block changes the tokens in two goes: attention, then an MLP. Before each, every token is shifted "
                "and scaled to mean 0 and deviation 1, by itself; then a learned factor γ and shift β per number "
                "follow.",
                "The tokens themselves stay as they are: only the copy that attention reads is normalised.",
            ),
            ("LN(x) = γ · (x − mean(x)) / √(var(x) + ε) + β",),
            "eq2",
            (Shape("normalised", s["normed"], three, "[1, 197, 768]"),),
            ("norm", "residual"),
        ),
        Step(
            "qkv",
            1,
            "Queries, keys and values",
            (
                "From each token, three shorter rows are made: a query, what the token asks for; a key, what it can be "
                "found by; and a value, what it hands over.",
                f"That happens in {h} {'head' if h == 1 else 'heads'} of {d} numbers side by side, each with weights "
                "of its own.",
            ),
            ("[q, k, v] = LN(z) U_{qkv},   U_{qkv} ∈ ℝ" + f"^{{ {D} × {3 * D}}}",),
            "A5",
            tuple(Shape(each, s[each[0]], four, "[1, 8, 197, 96]") for each in ("queries", "keys", "values")),
            ("qkv",),
        ),
        Step(
            "scores",
            1,
            "Scores: one query against every key",
            (
                f"The query of the chosen token is multiplied with the key of every token, number by number, and "
                f"summed. A high score means: that one has what I ask for. Dividing by √{d} keeps the scores from "
                "growing with the width.",
                "The table holds the real scores, in the places of their patches.",
            ),
            ("s_{j} = q · k_{j} / √d",),
            "A6",
            (Shape("scores", s["scores"], "batch, heads, queries, keys", "[1, 8, 197, 197]"),),
            ("scores",),
        ),
        Step(
            "softmax",
            1,
            "Softmax: scores become shares",
            (
                "The exponential makes all scores positive and the large ones stand out; divided by their sum, they "
                f"become shares that add up to 1. An even share would be 1/{tokens}.",
                "These shares are the attention that the explorer shows.",
            ),
            ("A_{j} = e^{s_{j}} / Σ_{m} e^{s_{m}}",),
            "A6",
            (Shape("attention", s["attention"], "batch, heads, queries, keys", "[1, 8, 197, 197]"),),
            ("attend",),
        ),
        Step(
            "mix",
            1,
            "Weighted sum of the values",
            (
                "Each token's value is multiplied by its share, and all are added up. The result is what this head "
                "found for the chosen token: a mixture, in which the most attended tokens count most.",
            ),
            ("SA(z) = A v",),
            "A7",
            (Shape("each head's result", s["mixed"], four, "[1, 8, 197, 96]"),),
            ("attend",),
        ),
        Step(
            "join",
            1,
            "Heads joined and projected",
            (
                f"The results of the {h} heads are put side by side, {h} × {d} = {D} numbers, and one more learned "
                "matrix mixes them. This is the update that attention proposes for the token."
                if h > 1
                else f"There is one head, so nothing needs joining; one more learned matrix mixes its {D} numbers. "
                "This is the update that attention proposes for the token.",
            ),
            ("MSA(z) = [SA_{1}(z); SA_{2}(z); …; SA_{h}(z)] U_{msa}",),
            "A8",
            (Shape("update", s["update"], three, "[1, 197, 768]"),),
            ("join",),
        ),
        Step(
            "residual",
            1,
            "The update is added",
            (
                "The token is not replaced: the update is added to what it was. So a token's row runs through all "
                "blocks like a thread, and each block adds to it." + scaled,
            ),
            ("z′_{ℓ} = MSA(LN(z_{ℓ−1})) + z_{ℓ−1}",),
            "eq2",
            (Shape("tokens", s["middle"], three, "[1, 197, 768]"),),
            ("add", "block"),
        ),
        Step(
            "mlp",
            1,
            "The MLP: each token alone",
            (
                f"After a norm of its own, each token is widened from {D} to {c.hidden} numbers, bent, and brought "
                "back to its width. No token sees another here.",
                (
                    "In this model one half of the widened numbers opens or closes the other half, through a curve "
                    "called SiLU (SwiGLU)."
                    if gated
                    else f"The bend is {name}: negative numbers are pressed towards 0, positive ones pass. Without it, "
                    "two matrices in a row would be no more than one."
                ),
            ),
            (
                "MLP(x) = (SiLU(x W_{1}) · x W_{2}) W_{3}"
                if gated
                else f"MLP(x) = {name}(x W_{{1}} + b_{{1}}) W_{{2}} + b_{{2}}",
            ),
            "swiglu" if gated else "3.1",
            (
                Shape("widened", s["wide"], three, "[1, 197, 3072]"),
                Shape("after the bend", s["hidden"], three, "[1, 197, 3072]"),
                Shape("update", s["update2"], three, "[1, 197, 768]"),
            ),
            ("swiglu" if gated else "mlp",),
        ),
        Step(
            "residual2",
            1,
            "Added again: the block is done",
            (
                "The MLP's update is added too. The tokens leave the block in the shape in which they came, and the "
                "next block does the same with other weights." + scaled,
            ),
            ("z_{ℓ} = MLP(LN(z′_{ℓ})) + z′_{ℓ}",),
            "eq3",
            (Shape("tokens", s["out"], three, "[1, 197, 768]"),),
            ("block_forward",),
        ),
    ]


def ending(c: ViTConfig, s: dict[str, list[int]]) -> list[Step]:
    read = {
        "class": "The class token",
        "class_distillation": "The class token and the distillation token, each with a linear map of its own, averaged",
        "mean": "The mean of all patches",
        "class_mean": "The class token, with the mean of all patches beside it",
    }[c.readout]
    tokens, D = s["x"][1:]
    blocks = Step(
        "blocks",
        2,
        f"The same again, {c.depth} times" if c.depth > 1 else "One block is all there is",
        (
            f"The model is {c.depth} such blocks, one after another. Each picture is one layer; click one to open its "
            "block in the steps before.",
            "Watch the chosen token: whom it attends to, which tokens have become like it, how long every token's row "
            "has grown, and how far each block moved it.",
        ),
        ("z_{ℓ} = block_{ℓ}(z_{ℓ−1}),   ℓ = 1 … " + str(c.depth),),
        "figure",
        (Shape("tokens", [c.depth + 1, tokens, D], "layers and the start, tokens, numbers", "[1, 197, 768] each"),),
        ("blocks",),
    )
    if not c.classes:
        text = (
            "This model was trained without labels: it has no head and gives no class. What it hands over is its "
            "tokens, normalised once more.",
        )
        tail = [Shape("tokens", [1, tokens, D], "batch, tokens, numbers", "[1, 197, 768]")]
        return [blocks, Step("head", 3, "No head, no answer", text, ("y = LN(z_{L})",), "eq4", tuple(tail), ("head",))]
    wide = D * 2 if c.readout == "class_mean" else D
    return [
        blocks,
        Step(
            "head",
            3,
            "The head reads the tokens",
            (
                f"{read}: that is all the head reads. "
                + ("" if c.head_norm == "none" else "After a last norm, ")
                + f"{'One' if c.head_norm == 'none' else 'one'} linear map turns {wide} numbers into {c.classes}, a "
                "score for each class: the logits.",
                "The other tokens were not idle: they fed the read-out in every block.",
            ),
            (_read_out_formula(c), "logits = y W + b"),
            "eq4",
            (Shape("logits", s["logits"], "batch, classes", "[1, 197, 1000]"),),
            ("read_out", "classify"),
        ),
        Step(
            "answer",
            3,
            "The answer",
            (
                "Softmax once more, over the classes: shares that add up to 1. The largest is the model's answer.",
                "The shares say how the model divides its bet between the classes it knows. They do not say how often "
                "it is right.",
            ),
            ("p_{c} = e^{logit_{c}} / Σ_{m} e^{logit_{m}}",),
            "softmax",
            (Shape("shares", s["logits"], "batch, classes"),),
            ("answer",),
        ),
    ]


def _read_out_formula(c: ViTConfig) -> str:
    """What the head reads, y, from the tokens z of the last layer."""
    normed = c.head_norm != "none"
    if c.readout == "class_mean":
        return "y = [LN(z^{0}_{L}); mean of LN(z^{i}_{L})]" if normed else "y = [z^{0}_{L}; mean of z^{i}_{L}]"
    if c.readout == "mean":
        if c.head_norm == "pooled":
            return "y = LN(mean of z^{i}_{L})"
        return "y = mean of LN(z^{i}_{L})" if normed else "y = mean of z^{i}_{L}"
    return "y = LN(z^{0}_{L})" if normed else "y = z^{0}_{L}"
