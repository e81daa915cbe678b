"""A loss term beside that of the task, in an unmodified Trainer."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from torch import nn
from torch.optim import Optimizer
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import ExportableState

from hf_transfer_plugin.adapt.objectives import term_of
from hf_transfer_plugin.adapt.objectives.loss_term import LossTerm
from hf_transfer_plugin.callbacks.carried_tensors import CarriedTensors
from hf_transfer_plugin.callbacks.freezing import FreezingCallback
from hf_transfer_plugin.callbacks.objective_checks import check_objective, check_source
from hf_transfer_plugin.callbacks.objective_run import ObjectiveRun
from hf_transfer_plugin.callbacks.objective_source import Source
from hf_transfer_plugin.callbacks.report_order import add_to_logs, move_to_front
from hf_transfer_plugin.callbacks.stepped_weights import torch_optimizer
from hf_transfer_plugin.callbacks.stored_progress import stored_progress
from hf_transfer_plugin.objective_records import Objective

__all__ = ["ObjectiveCallback"]

logger = logging.getLogger(__name__)
_KEY = "hf_transfer_plugin_objective"


class ObjectiveCallback(TrainerCallback, ExportableState):
    """Adds the term of an objective to the loss that the model returns in training.

    The source is the model as it is when the Trainer is built: build it from the pretrained
    checkpoint, also to resume, and a resumed run ends with the weights of an uninterrupted one.
    The loss of evaluation stays that of the task; `loss` in the logs holds the term, and
    `objective/loss` is the term alone. It counts as the loss of the task does under gradient
    accumulation and in several processes. `on_train_end` leaves the model without a trace. A
    discriminator learns beside the model: it travels in checkpoints, inside optimizer.pt, and is
    in nothing else that is saved.

    Args:
        objective: a term such as `L2SP()`, or its name or `{name: l2sp, alpha: 0.1}`.

    Raises:
        ConfigError: for an unknown objective; in `train()`, for a run that the term cannot reach.

    Examples:
        >>> trainer = Trainer(..., callbacks=[ObjectiveCallback(L2SP(alpha=0.1))])
    """

    def __init__(self, objective: LossTerm | Objective | str | Mapping[str, Any]) -> None:
        self.objective = objective if isinstance(objective, LossTerm) else term_of(objective)
        self.progress: dict[str, Any] = {}
        self._source: Source | None = None
        self._run: ObjectiveRun | None = None
        self._carried: CarriedTensors | None = None

    def state(self) -> dict[str, Any]:
        """Return what Trainer stores in a checkpoint: the objective, and a digest of its source."""
        record = self.objective.record
        options = {"name": record.name, **record.settings}
        source = self._source.digest if self._source is not None else ""
        progress = {"source": source, "objective": options}
        return {"args": {"objective": options}, "attributes": {"progress": progress}}

    def on_init_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Keep the source, before a checkpoint is loaded over the model."""
        move_to_front(self, behind=FreezingCallback)
        model = kwargs["model"]
        if model is not None:
            check_objective(self.objective.record, args, model)
            self._source = Source(model, self.objective)

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Begin to add the term."""
        self._close()  # a run that ended in an exception never reached on_train_end
        move_to_front(self, behind=FreezingCallback)
        self.progress = stored_progress(self, state, "objective")
        model: nn.Module = kwargs["model"]
        check_objective(self.objective.record, args, model)
        source = check_source(self._source, self.progress, self.state(), state.global_step)
        rows = kwargs.get("train_dataloader")
        self._run = ObjectiveRun(self.objective, source, model, args, rows, state.max_steps)
        if self.objective.record.kind.learns:
            self._carry(torch_optimizer(kwargs["optimizer"]), state.global_step)

    def on_substep_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Take the values of a pass before the last one of a step."""
        if self._run is not None:
            self._run.pass_done()

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Take the values of the last pass of a step; what the term has of its own learns."""
        if self._run is not None:
            self._run.pass_done()
            self.objective.step()

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Add the mean term, of this process, to the logs of training."""
        logs = kwargs.get("logs")
        if self._run is not None and logs is not None and "loss" in logs:
            add_to_logs(state, logs, self._run.logged())

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Leave the model as it was."""
        self._close()

    def _carry(self, optimizer: Optimizer, step: int) -> None:
        """Let checkpoints hold what the term learns, and go on from that of one."""
        self._carried = CarriedTensors(optimizer, self.objective.tensors, _KEY)
        if self._carried.loaded:
            self.objective.load(self._carried.loaded)
        elif step:
            logger.warning(
                "the checkpoint of step %d holds no discriminator of objective %s: a new one "
                "begins there",
                step,
                self.objective.name,
            )

    def _close(self) -> None:
        if self._carried is not None:
            self._carried.remove()
        if self._run is not None:
            self._run.close()
        self._run = self._carried = None
