"""Models that look like a ViT from afar and are not one: each is refused by name, with the reason."""

import re

# A pattern that only keys of this family contain, the family, and why it cannot be shown. The first that fits counts.
_FAMILIES = (
    (r"text_model\.|token_embedding\.|word_embeddings|embed_tokens\.|(^|\.)wte\.", "a text model", "it reads words"),
    (
        r"patch_embed(dings)?\.backbone\.|conv_bn_relu|patch_embed\.(proj|net)\.\d",
        "a hybrid",
        "convolutions come first",
    ),
    (
        r"attn_pool\.|(^|\.)head\.probe|MAPHead",
        "SigLIP or another with attention pooling",
        "its head is an attention layer",
    ),
    (r"pre_logits", "a ViT before fine-tuning", "its head has a hidden layer"),
    (r"layers\.\d+\.blocks\.|features\.\d+\.\d+\.attn", "Swin", "its attention stays in windows that grow"),
    (r"(^|\.)layer\d\.\d+\.conv\d", "ResNet", "it convolves and has no attention"),
    (r"running_mean|dwconv|conv_dw", "a convolutional network", "not all of it is attention between tokens"),
    (r"stages\.\d|downsample\.|transformers\.\d+\.pool", "a hierarchical model", "its tokens change in number"),
    (r"^blocks\.\d+\.proj\.", "Hiera or another hierarchical model", "its tokens change in number"),
    (
        r"relative_position_bias|rel_pos|\.lambda_[12]$",
        "BEiT, SAM or another with relative positions",
        "its attention depends on distances that the tokens do not know",
    ),
    (
        r"attn\.(q_bias|v_bias|inner_attn_ln|norm\.)|(^|\.)rope(\.|_)|storage_tokens",
        "EVA-02, DINOv3 or another with rotary positions",
        "queries and keys are rotated by where they are",
    ),
    (
        r"attn\.[qk]_norm|\.k_norm\.",
        "a ViT with normalised queries",
        "queries and keys are normalised before they meet",
    ),
    (
        r"blocks_token_only|cls_attn_blocks|attn\.proj_l\.",
        "CaiT or XCiT",
        "its class token joins only in the last layers",
    ),
    (r"attns\.\d|attn_out_proj\.", "a parallel ViT", "several sublayers of its blocks run side by side"),
)

_PATCHES = re.compile(r"patch_embed\.proj\.weight$|embeddings\.patch_embeddings?\.(projection\.)?weight$")
_POSITIONS = re.compile(r"pos_embed|position_embedding")


def reason_against(keys: set[str]) -> str | None:
    """A sentence that refuses these keys, or None."""
    for pattern, family, why in _FAMILIES:
        if any(re.search(pattern, key) for key in keys):
            return f"This is {family}, not a plain Vision Transformer: {why}."
    if any(map(_PATCHES.search, keys)) and not any(map(_POSITIONS.search, keys)):
        return (
            "This is DINOv3 or another with rotary positions, not a plain Vision Transformer: no positions are learned."
        )
    return None
