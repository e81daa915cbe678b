"""Names of checkpoints, data and classes: what they refer to, and how they are shown."""

from __future__ import annotations

import re

from hf_transfer_plugin.redaction import is_absolute_path, last_name

__all__ = ["display_name", "hub_dataset", "hub_model", "is_local", "one_line", "shorten"]

_HUB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9_][A-Za-z0-9._-]*)?")
_FILE = re.compile(r"\.(csv|tsv|json|jsonl|parquet|arrow|txt|zip|gz|safetensors|bin|pt)$", re.I)
_SAMPLE_MODELS = {
    "sample:efficientnet-lite0": "timm/tf_efficientnet_lite0.in1k",
    "sample:minilm": "sentence-transformers/all-MiniLM-L6-v2",
}


def is_local(name: str) -> bool:
    """Return whether the spelling shows a file or folder.

    A relative folder of the form `a/b` is spelled like a Hub name and cannot be told from it
    without looking at the disk; write `./a/b`.
    """
    relative = name.startswith((".", "~")) or "\\" in name or name.count("/") > 1
    return is_absolute_path(name) or relative or _FILE.search(name) is not None


def hub_dataset(name: str) -> str | None:
    """Return the name if it is one of the Hub, else None (a folder, a file, `sample:NAME`)."""
    return name if not is_local(name) and _HUB_NAME.fullmatch(name) else None


def hub_model(name: str) -> str | None:
    """Return the Hub name of a checkpoint, also of the samples, else None."""
    return _SAMPLE_MODELS.get(name) or hub_dataset(name)


def one_line(text: str) -> str:
    """Return the text with every run of white space (also newlines) as one space."""
    return " ".join(text.split())


def display_name(name: str) -> str:
    """Return a name to show: one line, and of a local folder only the last part."""
    return one_line(last_name(name) if is_local(name) else name)


def shorten(text: str, width: int) -> str:
    """Return one line of at most `width` characters, cut in the middle.

    Both ends of a checkpoint's name matter: who made it, and which size it is.

    Examples:
        >>> shorten("organisation/a-very-long-name-base-uncased", 21)
        'organisati…se-uncased'
    """
    text = one_line(text)
    if len(text) <= width:
        return text
    head = width // 2
    return f"{text[:head]}…{text[len(text) - (width - head - 1) :]}"
