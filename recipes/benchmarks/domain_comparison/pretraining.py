"""Checkpoints that learned on unlabelled rows of a target before anything is fine-tuned."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from filelock import FileLock

from domain_comparison.places import Place
from domain_comparison.settings import Settings
from hf_transfer_plugin import masked_language_pretraining
from hf_transfer_plugin.data.unlabelled_loading import load_unlabelled

__all__ = ["pretrain", "pretrained_folder"]

_EPOCHS = 2


def pretrained_folder(place: Place, settings: Settings) -> Path:
    """Return where the checkpoint of a target lies."""
    return Path(settings.work) / "pretrained" / place.group / place.target


@cache
def pretrain(place: Place, settings: Settings) -> None:
    """Let the network learn masked words of the target's texts of train, where it has not yet."""
    group = place.of
    rows = load_unlabelled(place.spec(settings.data, place.target), group.task)
    folder = pretrained_folder(place, settings)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):  # of several processes one makes it
        masked_language_pretraining(
            group.checkpoint,
            [text for name in rows.inputs for text in rows.splits["train"][name]],
            folder,
            epochs=_EPOCHS,
            max_length=group.max_length,
        )
