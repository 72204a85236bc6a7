"""Models that look like a ViT from afar and are not one: each is refused by name, with the reason."""

# A part of a key that only this family has, its name, and why it cannot be shown.
_FAMILIES = (
    ("relative_position_bias_table", "Swin, BEiT or a relative", "its attention is in windows or has a learned bias"),
    ("rope_embeddings", "DINOv3 or another rotary", "its positions are rotations of queries and keys"),
    ("rope.", "EVA-02 or another rotary", "its positions are rotations of queries and keys"),
    ("storage_tokens", "DINOv3", "its positions are rotations of queries and keys"),
    ("attn.q_norm", "query-key-normalised", "its queries and keys are normalised before they meet"),
    ("attn_pool.", "attention-pooling (SigLIP)", "its head is an attention layer of its own"),
    ("vision_model.head.probe", "attention-pooling (SigLIP)", "its head is an attention layer of its own"),
    ("patch_embed.backbone.", "hybrid", "a convolutional network stands in front of its tokens"),
    ("downsample.", "hierarchical (Swin, PVT) or convolutional", "its tokens change in number on the way"),
    ("text_model.", "text", "it reads words (give the vision tower alone)"),
    ("token_embedding.", "text", "it reads words (give the vision tower alone)"),
    ("embeddings.word_embeddings", "text", "it reads words"),
    ("layer4.0.conv1", "convolutional (ResNet)", "it has no attention"),
    ("pre_logits/kernel", "JAX pre-training", "its head has a hidden layer"),
    ("stages.", "convolutional or hierarchical", "it has no sequence of tokens of one size"),
)


def reason_against(keys: set[str]) -> str | None:
    """A sentence that refuses these keys, or None."""
    for part, family, why in _FAMILIES:
        if any(part in key for key in keys):
            return f"This looks like a {family} model, which is not a plain Vision Transformer: {why}."
    return None
