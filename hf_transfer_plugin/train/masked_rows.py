"""Texts to rows with masked words: anew each epoch in training, always the same in validation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hf_transfer_plugin.errors import CheckpointError, DataError

if TYPE_CHECKING:
    from datasets import Dataset

__all__ = ["FEWEST_TEXTS", "MaskedRows", "masked_rows"]

FEWEST_TEXTS = 20
IGNORED = -100


@dataclass(frozen=True)
class MaskedRows:
    """Rows for a Trainer.

    Attributes:
        train: token ids, which `collate` masks anew with torch's global generator.
        validation: token ids that are masked, with labels.
        collate: list of rows -> batch of tensors.
        texts, validation_texts: how many became these rows.
    """

    train: Dataset
    validation: Dataset
    collate: Callable[[list[dict[str, Any]]], dict[str, Any]]
    texts: int
    validation_texts: int


def masked_rows(
    checkpoint: str,
    tokenizer: Any,
    texts: Sequence[str],
    max_length: int,
    mask_share: float,
    validation_share: float,
    seed: int,
) -> MaskedRows:
    """Hold texts out, tokenize, and mask what was held out once and for all.

    Args:
        checkpoint: its name, for errors.
        tokenizer: of the checkpoint.
        texts: white space alone is left out.
        max_length: tokens of a row; a longer text becomes several.
        mask_share: share of the tokens that are predicted.
        validation_share: share of the texts that is held out.
        seed: of the texts that are held out and of their masks.

    Raises:
        CheckpointError: for a tokenizer without a mask token.
        DataError: for fewer than 20 texts.
    """
    from datasets import Dataset
    from transformers import DataCollatorForLanguageModeling

    if tokenizer.mask_token_id is None:
        raise CheckpointError(
            arrived=f"the tokenizer of {checkpoint} has no mask token",
            expected="a tokenizer that was made for masked words, such as that of BERT",
            action="choose another checkpoint",
        )
    kept = [text for text in texts if text.strip()]
    if len(kept) < FEWEST_TEXTS:
        raise DataError(
            arrived=f"{len(kept)} texts that are not empty, of {len(texts)}",
            expected=f"at least {FEWEST_TEXTS}, and thousands to learn from",
            action="name data with more texts; they need no labels",
        )
    order = np.random.default_rng(seed).permutation(len(kept))
    count = min(max(1, round(validation_share * len(kept))), len(kept) - 1)
    limit = min(max_length, tokenizer.model_max_length)
    held_out = _rows(tokenizer, [kept[text] for text in order[:count]], limit)
    train = _rows(tokenizer, [kept[text] for text in order[count:]], limit)
    once = DataCollatorForLanguageModeling(tokenizer, mlm_probability=mask_share, seed=seed)
    masked = [{name: value[0].tolist() for name, value in once([row]).items()} for row in held_out]
    anew = DataCollatorForLanguageModeling(tokenizer, mlm_probability=mask_share)

    def collate(batch: list[dict[str, Any]]) -> dict[str, Any]:
        if "labels" not in batch[0]:
            return dict(anew(batch))
        return _padded(batch, tokenizer.pad_token_id)

    return MaskedRows(
        Dataset.from_list(train),
        Dataset.from_list(masked),
        collate,
        texts=len(kept) - count,
        validation_texts=count,
    )


def _rows(tokenizer: Any, texts: list[str], limit: int) -> list[dict[str, list[int]]]:
    """Tokenize; a text that is longer than a row becomes several."""
    found = tokenizer(
        texts,
        truncation=True,
        max_length=limit,
        return_overflowing_tokens=True,
        return_special_tokens_mask=True,
    )
    names = ("input_ids", "attention_mask", "special_tokens_mask")
    return [
        dict(zip(names, row, strict=True))
        for row in zip(*(found[name] for name in names), strict=True)
    ]


def _padded(batch: list[dict[str, Any]], pad: int) -> dict[str, Any]:
    import torch
    from torch.nn.utils.rnn import pad_sequence

    fills = {"input_ids": pad, "attention_mask": 0, "labels": IGNORED}
    return {
        name: pad_sequence(
            [torch.tensor(row[name]) for row in batch], batch_first=True, padding_value=fill
        )
        for name, fill in fills.items()
    }
