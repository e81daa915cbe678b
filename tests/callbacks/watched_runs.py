"""Small runs that learn, collapse or break, for the tests of the watch for negative transfer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import nn
from transformers import Trainer, TrainerCallback

from hf_transfer_plugin.callbacks.negative_transfer import NegativeTransferCallback
from tests.callbacks.tiny import bert, trainer

#: An evaluation after each step; `score` is written down by the test.
EVALUATED: dict[str, Any] = {"eval_strategy": "steps", "eval_steps": 1}
SCORED: dict[str, Any] = EVALUATED | {"metric_for_best_model": "score"}


def learnable(rows: int = 32) -> list[dict[str, Any]]:
    """Return rows whose class is told by half of their tokens."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randint(10, 40, (rows, 8), generator=generator)
    noise[:, :4] = 2 + torch.arange(rows)[:, None] % 2
    return [{"input_ids": tokens, "labels": i % 2} for i, tokens in enumerate(noise)]


class Scored(Trainer):
    """Evaluates for real and adds a score that the test has written down."""

    scores: Sequence[float] = ()

    def evaluation_loop(self, *args: Any, **kwargs: Any) -> Any:
        output = super().evaluation_loop(*args, **kwargs)
        if self.scores:
            output.metrics["eval_score"] = self.scores[self.state.global_step - 1]
        return output


class Weights(TrainerCallback):
    """Keeps copies of all weights and buffers after each step."""

    def __init__(self) -> None:
        self.after: dict[int, dict[str, torch.Tensor]] = {}

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        named = kwargs["model"].state_dict()
        self.after[state.global_step] = {n: t.detach().clone() for n, t in named.items()}


def build(
    folder: Path,
    *callbacks: TrainerCallback,
    model: nn.Module | None = None,
    scores: Sequence[float] = (),
    **arguments: Any,
) -> Scored:
    """Return a Trainer on learnable rows."""
    arguments = (SCORED if scores else EVALUATED) | arguments
    run = trainer(model or bert(), folder, *callbacks, **arguments)
    run.__class__ = Scored
    run.scores = scores  # type: ignore[attr-defined]
    if run.model.main_input_name == "input_ids":  # type: ignore[union-attr]
        run.train_dataset = run.eval_dataset = learnable()
    return run  # type: ignore[return-value]


def learned(make: Callable[[], nn.Module]) -> nn.Module:
    """Return a model that tells the classes apart already."""
    model = make()
    model.load_state_dict(_learned(make))
    return model


@cache
def _learned(make: Callable[[], nn.Module]) -> dict[str, torch.Tensor]:
    model = make()
    with TemporaryDirectory() as folder:
        build(Path(folder), model=model, max_steps=60, eval_strategy="no", logging_steps=60).train()
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def kinds(watch: NegativeTransferCallback) -> list[tuple[int, str]]:
    """Return step and kind of each alarm."""
    return [(alarm.step, alarm.kind) for alarm in watch.alarms]
