"""Everything that can be set from outside: each flag of app.py has an environment variable, as Spaces pass no flags."""

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """How the page is served. Memory in gigabytes."""

    host: str = "127.0.0.1"
    port: int | None = None  # None: the first free one from 7860
    model: str = ""  # "": the best that is on disk
    device: str = ""  # "": CUDA or MPS if there is one
    memory: float = 4.0
    attention: float = 0.3  # for the attention of one photo; bounds the input size
    queue: int = 32
    any_model: bool = False  # visitors may name a hub id or a path: not for a public host


# Field of Settings, flag, environment variable, what it says in --help.
_FLAGS = (
    ("host", "--host", "GRADIO_SERVER_NAME", "address to listen on; 0.0.0.0 for every network"),
    ("port", "--port", "GRADIO_SERVER_PORT", "port to listen on; by default the first free one from 7860"),
    ("model", "--model", "EXPLORER_MODEL", "model that the page opens with"),
    ("device", "--device", "EXPLORER_DEVICE", "cpu, cuda or mps; by default the fastest there is"),
    ("memory", "--memory", "EXPLORER_MEMORY_GB", "memory for loaded models in gigabytes (4)"),
    ("attention", "--attention", "EXPLORER_ATTENTION_GB", "memory for one photo's attention in gigabytes (0.3)"),
    ("queue", "--queue", "EXPLORER_QUEUE", "visitors who may wait at once (32)"),
    ("any_model", "--any-model", "EXPLORER_ANY_MODEL", "1: visitors may load any hub id or path of this machine (0)"),
)
_KINDS = {"port": int, "memory": float, "attention": float, "queue": int, "any_model": lambda text: bool(int(text))}


def read_settings(arguments: Sequence[str] | None = None) -> Settings:
    """Settings from flags, else from the environment, else the defaults. Exits with a sentence for a bad value."""
    parser = argparse.ArgumentParser(
        description="Attention Explorer: look inside a Vision Transformer in the browser.",
        epilog="Each flag has an environment variable, named in its help; the flag wins.",
    )
    for field, flag, variable, text in _FLAGS:
        # As a string, the default is converted and checked by argparse like a flag's value.
        given = os.environ.get(variable) or None
        parser.add_argument(flag, dest=field, type=_KINDS.get(field, str), default=given, help=f"{text} [{variable}]")
    parsed = parser.parse_args(arguments)
    return Settings(**{name: value for name, value in vars(parsed).items() if value is not None})
