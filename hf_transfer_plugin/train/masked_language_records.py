"""What further pretraining on unlabelled texts is asked for, and what it did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hf_transfer_plugin.errors import ConfigError
from hf_transfer_plugin.processes import world_size
from hf_transfer_plugin.serialization import Record

__all__ = ["MaskedLanguageCurve", "MaskedLanguageResult", "check_options"]


@dataclass(frozen=True)
class MaskedLanguageCurve(Record):
    """Validation at the end of an epoch: cross-entropy of masked tokens, in nats."""

    step: int
    validation_loss: float


@dataclass(frozen=True)
class MaskedLanguageResult(Record):
    """What further pretraining did.

    Attributes:
        request: hash of the checkpoint's name, texts and options.
        checkpoint: what was trained further.
        model_type: architecture.
        texts, validation_texts: texts learned from, and held out.
        steps: optimizer steps of the weights that were kept.
        before, after: loss on the same masked words of held-out texts, in nats a token.
        curve: one point an epoch.
        fresh_head: the checkpoint had no head for masked words; `before` then is that of a random
            one, and the fall of the loss says nothing of the encoder.
        seconds: wall time of the last call that trained.
    """

    file_name = "masked_language.json"

    request: str
    checkpoint: str
    model_type: str
    texts: int
    validation_texts: int
    steps: int
    before: float
    after: float
    curve: tuple[MaskedLanguageCurve, ...]
    fresh_head: bool
    seconds: float


def check_options(options: Mapping[str, Any]) -> None:
    """Raise ConfigError for an option of masked-language pretraining that is out of range."""
    shares = ("mask_share", "validation_share")
    counts = ("epochs", "batch_size", "max_length", "patience")
    for name, value in options.items():
        if name in shares and not 0 < value < 1:
            expected = "a share between 0 and 1"
        elif name in counts and (type(value) is not int or value < 1):
            expected = "a whole number from 1"
        elif name == "learning_rate" and not value > 0:
            expected = "a number above 0"
        else:
            continue
        raise ConfigError(f"{name}={value!r}", expected, f"correct {name}")
    if options["batch_size"] % world_size():
        raise ConfigError(
            arrived=f"batch_size={options['batch_size']} for {world_size()} processes",
            expected="a batch size that can be divided by them",
            action="change batch_size or the number of processes",
        )
