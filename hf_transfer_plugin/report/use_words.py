"""What a published classifier is for, and how it is used."""

from __future__ import annotations

import json
from collections.abc import Sequence

from hf_transfer_plugin.report.names import one_line

__all__ = ["CLOSED_CLASSES", "SHOWN_CLASSES", "pipeline_snippet", "use_words"]

SHOWN_CLASSES = 30
CLOSED_CLASSES = (
    "It always answers one of these classes, also for inputs that belong to none of them."
)


def use_words(task: str, class_names: Sequence[str]) -> str:
    """Return what the model assigns to which classes, the first ones by name."""
    names = [one_line(name) for name in class_names]
    shown = ", ".join(f"“{name}”" for name in names[:SHOWN_CLASSES])
    more = f" and {len(names) - SHOWN_CLASSES} more" if len(names) > SHOWN_CLASSES else ""
    kind = "a text" if task == "text-classification" else "an image"
    return f"The model assigns {kind} to one of {len(names)} classes: {shown}{more}."


def pipeline_snippet(task: str, model: str, note: str = "") -> str:
    """Return the lines that load a classifier into a pipeline of transformers.

    Args:
        task: of the pipeline.
        model: name on the Hub, or folder.
        note: comment on that name.
    """
    example = "a text to classify" if task == "text-classification" else "picture.png"
    remark = f"  # {note}" if note else ""
    return (
        "from transformers import pipeline\n\n"
        f"classify = pipeline({json.dumps(task)}, model={json.dumps(model)}){remark}\n"
        f"print(classify({json.dumps(example)}))"
    )
