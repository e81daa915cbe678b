"""What further pretraining on unlabelled texts did."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from hf_transfer_plugin.serialization import Record

__all__ = ["MaskedLanguageCurve", "MaskedLanguageResult"]


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
        revision: of it on the Hub.
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
    revision: str | None = None

    @classmethod
    def of(cls, checkpoint: str) -> Self | None:
        """Return what was done to a checkpoint; None unless it is a folder that says so."""
        return cls.load_usable(Path(checkpoint).expanduser() / cls.file_name)
