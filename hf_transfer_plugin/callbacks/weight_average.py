"""The exponential moving average of the weights, in an unmodified Trainer."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from hf_transfer_plugin.average_records import Average
from hf_transfer_plugin.callbacks.carried_tensors import CarriedTensors, Tensors
from hf_transfer_plugin.callbacks.learned_weights import copied, learned_weights, put_weights
from hf_transfer_plugin.callbacks.sharded_weights import is_sharded
from hf_transfer_plugin.callbacks.stepped_weights import torch_optimizer
from hf_transfer_plugin.errors import ConfigError

__all__ = ["WeightAverageCallback"]

logger = logging.getLogger(__name__)

# The decay after n steps is at most 1 - (1 + n)^-POWER, so that short runs forget how they began.
POWER = 2 / 3


class WeightAverageCallback(TrainerCallback):
    """Keeps an exponential moving average of all that trains; the training itself is unchanged.

    After step n the average moves by 1 - d_n towards the weights, with
    d_n = min(decay, 1 - n^(-2/3)): the warm-up of timm's ModelEmaV3. As there, the running
    statistics of BatchNorm are averaged like weights, and counters are copied. What is frozen
    stays bit-equal. The average is kept in float32 for weights of half precision.

    It travels in checkpoints, inside optimizer.pt, so a resumed run has the same one to the bit.

    Args:
        decay: from 0 (no average) to 1.

    Attributes:
        weights: name -> averaged tensor on the CPU; empty until training has ended.

    Raises:
        ConfigError: for another decay; in `train()`, for weights that no process holds whole.

    References:
        Polyak & Juditsky, "Acceleration of stochastic approximation by averaging" (1992);
        torch.optim.swa_utils.AveragedModel.

    Examples:
        >>> average = WeightAverageCallback(decay=0.999)
        >>> trainer = Trainer(..., callbacks=[average])
        >>> trainer.train()
        >>> average.choose(model, lambda: trainer.evaluate()["eval_accuracy"])
        True
    """

    def __init__(self, decay: float = 0.999) -> None:
        self.decay = float(Average("ema", {"decay": decay}).checked().settings["decay"])
        self.weights: Tensors = {}
        self._run: _MovingAverage | None = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Begin an average, or go on with that of the checkpoint."""
        self._close()  # a run that ended in an exception never reached on_train_end
        model = kwargs["model"]
        if is_sharded(args, model):
            raise ConfigError(
                arrived="an average of weights that are dealt out among processes",
                expected="whole weights in each process, as with DistributedDataParallel",
                action="train without FSDP and DeepSpeed, or without the average",
            )
        self.weights = {}
        self._run = _MovingAverage(model, torch_optimizer(kwargs["optimizer"]), self.decay)
        if state.global_step and not self._run.steps:
            logger.warning(
                "the checkpoint of step %d holds no average with decay %g: it begins there",
                state.global_step,
                self.decay,
            )

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Move the average towards the weights after an optimizer step."""
        if self._run is not None:
            self._run.move()

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Keep the average, and leave optimizer and model as they were."""
        if self._run is not None and self._run.steps:
            self.weights = copied(self._run.named())
        self._close()

    def choose(self, model: nn.Module, score: Callable[[], float]) -> bool:
        """Leave the average in the model where it scores higher than what the model holds.

        Args:
            model: what was trained.
            score: measures the model as it is, on validation (higher is better); in several
                processes it gives all of them the same.

        Returns:
            Whether the average was chosen; on a tie it is not.
        """
        if not self.weights:
            return False
        plain = copied({name: model.state_dict()[name] for name in self.weights})
        before = score()
        put_weights(model, self.weights)
        if score() > before:
            return True
        put_weights(model, plain)
        return False

    def _close(self) -> None:
        if self._run is not None:
            self._run.carried.remove()
        self._run = None


class _MovingAverage:
    """The average of one run, beside the tensors that it follows."""

    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer, decay: float) -> None:
        self._followed = learned_weights(model, optimizer)
        self._decay = decay
        self._average = AveragedModel(self._now(), multi_avg_fn=self._lean)
        # Another decay is another average: a checkpoint holds none of it.
        key = f"hf_transfer_plugin_ema_{decay:g}"
        self.carried = CarriedTensors(optimizer, self._collect, key)
        if self.carried.loaded:
            self._load(self.carried.loaded)

    @property
    def steps(self) -> int:
        """Return how many steps are in the average."""
        return int(self._average.n_averaged)

    def move(self) -> None:
        """Take in the weights as they are now."""
        self._average.update_parameters(self._now())

    def named(self) -> Tensors:
        """Return the averaged tensors by name."""
        held = (each.data for each in self._average.module.parameters())
        return dict(zip(self._followed, held, strict=True))

    def _now(self) -> nn.ParameterList:
        tensors = (each.detach() for each in self._followed.values())
        wide = (_at_least_float32(each) for each in tensors)
        return nn.ParameterList([nn.Parameter(each, requires_grad=False) for each in wide])

    def _lean(self, average: Any, now: Any, steps: Any) -> None:
        """Move tensors of one kind, of which the average holds so many steps."""
        if not average[0].is_floating_point():
            for each, tensor in zip(average, now, strict=True):
                each.copy_(tensor)
            return
        decay = min(self._decay, 1 - (1 + int(steps)) ** -POWER)
        get_ema_multi_avg_fn(decay)(average, now, steps)

    def _collect(self) -> dict[str, Tensors]:
        if not self.steps:
            return {}
        return {"average": self.named(), "steps": {"steps": self._average.n_averaged}}

    def _load(self, loaded: dict[str, Tensors]) -> None:
        self._average.n_averaged.copy_(loaded["steps"]["steps"])
        for name, tensor in self.named().items():
            tensor.copy_(loaded["average"][name])


def _at_least_float32(tensor: torch.Tensor) -> torch.Tensor:
    """Widen half precision, in which small moves of an average would be lost."""
    if not tensor.is_floating_point():
        return tensor
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))
