"""One progress bar for a training run."""

from __future__ import annotations

from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from hf_transfer_plugin.terminal import Move

__all__ = ["ProgressBarCallback"]


class ProgressBarCallback(TrainerCallback):
    """Move a bar with each optimizer step and show the last loss and metric.

    Args:
        move: as given by `terminal.progress`.
        metric: name of the metric that is shown.
    """

    def __init__(self, move: Move, metric: str) -> None:
        self._move = move
        self._metric = metric
        self._note = ""

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Move on."""
        self._move(state.global_step, state.max_steps, self._note)

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Show the metric that was just measured."""
        value = (metrics or {}).get(f"eval_{self._metric}")
        if value is not None:
            self._note = f"validation {self._metric} {value:.3f}"
            self._move(state.global_step, state.max_steps, self._note)
