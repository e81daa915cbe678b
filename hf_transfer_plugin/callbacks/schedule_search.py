"""The schedule of each trial of `Trainer.hyperparameter_search`."""

from __future__ import annotations

from typing import Any, Literal

from transformers import TrainerControl, TrainerState, TrainingArguments

from hf_transfer_plugin.adapt.schedule_space import ScheduleSpace
from hf_transfer_plugin.adapt.schedules import FreezingSchedule
from hf_transfer_plugin.callbacks.freezing import FreezingCallback
from hf_transfer_plugin.errors import ScheduleError

__all__ = ["ScheduleSearchCallback"]


class ScheduleSearchCallback(FreezingCallback):
    """A `FreezingCallback` that takes the schedule of the trial whenever a trial begins.

    A Trainer keeps its callbacks over all trials and makes anew the model alone; what a trial drew
    it hands them in `state.trial_params`.

    Examples:
        >>> space = ScheduleSpace.common(layers=6)
        >>> trainer = Trainer(model_init=..., callbacks=[ScheduleSearchCallback(space)], ...)
        >>> best = trainer.hyperparameter_search(
        ...     backend="optuna",
        ...     hp_space=space.hp_space(learning_rate={"low": 1e-5, "high": 1e-3, "log": True}),
        ... )
        >>> space.schedule(best.hyperparameters)

    Args:
        space: what `hp_space` draws from.
        frozen_normalization: as in `FreezingCallback`.
        frozen_dropout: as in `FreezingCallback`.

    Attributes:
        schedule: of the trial that was begun last; full fine-tuning before the first.
    """

    def __init__(
        self,
        space: ScheduleSpace,
        frozen_normalization: Literal["eval", "keep", "train"] = "eval",
        frozen_dropout: bool = False,
    ) -> None:
        super().__init__(FreezingSchedule.full(), frozen_normalization, frozen_dropout)
        self.space = space

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Take the schedule of the trial, then begin as `FreezingCallback` does.

        Raises:
            ScheduleError: outside of a search, and for a trial that drew no schedule.
        """
        if state.trial_params is None:
            raise ScheduleError(
                "training began outside of a search, so no schedule is drawn",
                'hyperparameter_search(backend="optuna", hp_space=space.hp_space(...))',
                "after the search use FreezingCallback(space.schedule(best.hyperparameters))",
            )
        self.schedule = self.space.schedule(state.trial_params)
        super().on_train_begin(args, state, control, **kwargs)
