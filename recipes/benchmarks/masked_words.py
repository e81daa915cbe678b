"""Measure how much faster pretraining is when the masked words alone are predicted.

All of it, some minutes on one core:
    python recipes/benchmarks/masked_words.py --out RESULTS.jsonl
    python recipes/benchmarks/masked_words.py --table --out RESULTS.jsonl

A first look:
    python recipes/benchmarks/masked_words.py --lengths 32 --repeats 1

`masked_language_pretraining` trains so. Both take turns on the same batches of drawn tokens, of
which 15 % are masked, in one process; times are medians of a forward and a backward pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from functools import partial
from statistics import median
from typing import Any

import torch
from measured.kept_lines import Line, measured_lines
from measured.step_options import step_options
from measured.table import Table
from measured.turns import seconds_in_turns

from hf_transfer_plugin.checkpoints import Checkpoint
from hf_transfer_plugin.train.masked_positions import predicting_masked_alone

_SHARE = 0.15


def main() -> None:
    """Measure, and print the table."""
    options = step_options("All words predicted, and the masked alone")

    def measure() -> Iterator[Line]:
        model, _ = Checkpoint(options.checkpoint).masked_language_model()
        for length in options.lengths:
            line = _line(model, options.batch, length, options.repeats)
            yield {"threads": options.threads, "batch": options.batch, **line}

    lines = measured_lines(options, measure)
    title = f"Seconds a step, batches of {lines[0]['batch']}, {lines[0]['threads']} thread"
    headers = ("tokens of a row", "all words", "masked alone", "ratio", "difference of the loss")
    print(Table(title, headers, tuple(map(_row, lines))).markdown())


def _row(line: Line) -> tuple[str, ...]:
    whole, alone = median(line["all"]), median(line["alone"])
    speeds = (f"{whole:.2f}", f"{alone:.2f}", f"{whole / alone:.2f}")
    return str(line["tokens"]), *speeds, f"{line['difference']:.0e}"


def _line(model: Any, batch: int, length: int, repeats: int) -> Line:
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
        losses[alone] = float(loss.detach())

    ways = {"all": partial(step, False), "alone": partial(step, True)}
    seconds = seconds_in_turns(ways, repeats)
    return {"tokens": length, "difference": abs(losses[True] - losses[False]), **seconds}


if __name__ == "__main__":
    main()
