"""Measure how much faster pretraining is when the masked words alone are predicted.

All of it, some minutes on one core:
    python recipes/benchmarks/masked_words.py

A first look:
    python recipes/benchmarks/masked_words.py --lengths 32 --repeats 1

`masked_language_pretraining` trains so. Both take turns on the same batches of drawn tokens, of
which 15 % are masked, in one process; times are medians of a forward and a backward pass.
"""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from typing import Any

import torch
from measured.step_options import step_options
from measured.table import Table
from measured.turns import median_seconds

from hf_transfer_plugin.checkpoints import Checkpoint
from hf_transfer_plugin.train.masked_positions import predicting_masked_alone

_SHARE = 0.15


def main() -> None:
    """Measure, and print the table."""
    options = step_options("All words predicted, and the masked alone")
    model, _ = Checkpoint(options.checkpoint).masked_language_model()
    rows = [_row(model, options.batch, length, options.repeats) for length in options.lengths]
    title = f"Seconds a step, batches of {options.batch}, {options.threads} thread"
    headers = ("tokens of a row", "all words", "masked alone", "ratio", "difference of the loss")
    print(Table(title, headers, tuple(rows)).markdown())


def _row(model: Any, batch: int, length: int, repeats: int) -> tuple[str, ...]:
    draw = torch.Generator().manual_seed(0)
    read = torch.randint(1000, model.config.vocab_size, (batch, length), generator=draw)
    masked = torch.rand(read.shape, generator=draw) < _SHARE
    given = {"input_ids": read, "labels": read.where(masked, -100)}
    losses = {}
    model.eval()  # dropout draws by shape

    def step(alone: bool) -> None:
        with predicting_masked_alone(model) if alone else nullcontext():
            loss = model(**given).loss
        loss.backward()
        model.zero_grad()
        losses[alone] = float(loss)

    ways = {"all": partial(step, False), "alone": partial(step, True)}
    whole, alone_median = median_seconds(ways, repeats).values()
    difference = f"{abs(losses[True] - losses[False]):.0e}"
    speeds = (f"{whole:.2f}", f"{alone_median:.2f}", f"{whole / alone_median:.2f}")
    return str(length), *speeds, difference


if __name__ == "__main__":
    main()
