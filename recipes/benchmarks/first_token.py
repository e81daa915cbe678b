"""Measure how much faster a last block is that computes the first token alone.

All of it, some minutes on one core:
    python recipes/benchmarks/first_token.py --out RESULTS.jsonl
    python recipes/benchmarks/first_token.py --table --out RESULTS.jsonl

A first look:
    python recipes/benchmarks/first_token.py --lengths 32 --repeats 1

Plans train so where the head reads the first token. "last block" is a step when the blocks below
are frozen and the prefix cache hands on what they gave; "all blocks" trains the whole network.
Both take turns on the same rows of drawn tokens in one process; times are medians of a forward
and a backward pass, with dropout.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import partial
from statistics import median
from typing import Any

import torch
from measured.kept_lines import Line, measured_lines
from measured.step_options import step_options
from measured.table import Table
from measured.turns import seconds_in_turns

from hf_transfer_plugin.callbacks.first_token_hooks import computing_first_token_alone
from hf_transfer_plugin.checkpoints import Checkpoint


def main() -> None:
    """Measure, and print the table."""
    options = step_options("All tokens, and the first alone")

    def measure() -> Iterator[Line]:
        model = Checkpoint(options.checkpoint).classifier("text-classification", ("no", "yes"))
        for length in options.lengths:
            for line in _lines(model, options.batch, length, options.repeats):
                yield {"threads": options.threads, "batch": options.batch, **line}

    lines = measured_lines(options, measure)
    title = f"Seconds a step, batches of {lines[0]['batch']}, {lines[0]['threads']} thread"
    headers = ("tokens", "trains", "all tokens", "first alone", "ratio", "difference of the loss")
    print(Table(title, headers, tuple(map(_row, lines))).markdown())


def _row(line: Line) -> tuple[str, ...]:
    whole, alone = median(line["all"]), median(line["first"])
    speeds = (f"{whole:.3f}", f"{alone:.3f}", f"{whole / alone:.2f}")
    return str(line["tokens"]), line["trains"], *speeds, f"{line['difference']:.0e}"


def _lines(model: Any, batch: int, length: int, repeats: int) -> Iterator[Line]:
    draw = torch.Generator().manual_seed(0)
    read = torch.randint(1000, model.config.vocab_size, (batch, length), generator=draw)
    given = {
        "input_ids": read,
        "attention_mask": torch.ones_like(read),
        "labels": torch.arange(batch) % 2,
    }
    states = torch.randn(batch, length, model.config.hidden_size, generator=draw)
    works: dict[str, Callable[[Any], torch.Tensor]] = {
        "last block": lambda of: of.base_model.encoder.layer[-1](states)[:, 0].square().mean(),
        "all blocks": lambda of: of(**given).loss,
    }
    narrow = deepcopy(model)
    with computing_first_token_alone(narrow, lambda: given):
        for name, work in works.items():
            model.eval(), narrow.eval()  # dropout draws by shape
            difference = float((work(model) - work(narrow)).detach().abs())
            model.train(), narrow.train()
            ways = {"all": partial(_step, work, model), "first": partial(_step, work, narrow)}
            seconds = seconds_in_turns(ways, repeats)
            yield {"tokens": length, "trains": name, "difference": difference, **seconds}


def _step(work: Callable[[Any], torch.Tensor], model: Any) -> None:
    work(model).backward()
    model.zero_grad()


if __name__ == "__main__":
    main()
