"""A checkpoint that was pretrained further before it was transferred, in words."""

from __future__ import annotations

from hf_transfer_plugin.records import Report
from hf_transfer_plugin.report.names import display_name, hub_model
from hf_transfer_plugin.report.words import number

__all__ = ["checkpoint_words", "pretraining_sentences"]


def checkpoint_words(report: Report) -> str:
    """Return the name of what was transferred; of a folder that was pretrained what it was."""
    found = report.source_checkpoint
    shown = hub_model(found) or display_name(found)
    return shown if report.pretraining is None else f"{shown}, pretrained further"


def pretraining_sentences(report: Report) -> list[str]:
    """Return what the further pretraining read and did; empty where there was none."""
    found = report.pretraining
    if found is None:
        return []
    head = (
        " The head for masked words was fresh, so most of that is the head's and says little of "
        "the network."
        if found.fresh_head
        else ""
    )
    return [
        f"Before that, {display_name(found.checkpoint)} was pretrained further on "
        f"{found.texts:,} texts without their labels: {found.steps:,} steps in "
        f"{number(found.seconds, 0)} seconds, which predict masked words. On "
        f"{found.validation_texts:,} texts that were held out it needs {number(found.after, 2)} "
        f"nats a masked token, and needed {number(found.before, 2)} before.{head}"
    ]
