"""AdaLoRA in a Trainer: the budget of ranks shrinks as the run goes on, also after a resume."""

from __future__ import annotations

from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from hf_transfer_plugin.callbacks.carried_tensors import CarriedTensors, Tensors
from hf_transfer_plugin.callbacks.stepped_weights import torch_optimizer
from hf_transfer_plugin.errors import ConfigError

__all__ = ["RankBudgetCallback"]

# Shares of the run before the budget shrinks, and after it has.
_BEFORE, _AFTER = 0.1, 0.3
_KEY = "hf_transfer_plugin_ranks"
# Running means of peft's RankAllocator, by parameter: sensitivity and its uncertainty.
_MEANS = ("exp_avg_ipt", "exp_avg_unc")


class RankBudgetCallback(TrainerCallback):
    """Lets AdaLoRA drop the ranks that matter least; without it they all stay.

    The budget falls from `init_r` to `target_r` for each matrix, from `tinit` steps on until
    `tfinal` steps before the end. Where these are not set: a tenth of the run, and the last 0.3
    of it.

    A resumed run ends with the weights of one that never stopped. Checkpoints hold all rows of
    the matrices, those of dropped ranks too, for they still take part in the penalty; how ranks
    were weighed and which are kept lies in optimizer.pt. The dropped ones leave the adapter when
    training ends, so what `save_pretrained` writes then is small.

    References:
        Zhang et al., "AdaLoRA: Adaptive Budget Allocation for Parameter-Efficient Fine-Tuning"
        (2023).
    """

    def __init__(self) -> None:
        self._carried: CarriedTensors | None = None
        self._pattern: dict[str, list[bool]] = {}

    def on_init_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Refuse what would end with a model that has not met its budget."""
        if args.load_best_model_at_end:
            raise ConfigError(
                arrived="AdaLoRA with load_best_model_at_end",
                expected="the model of the last step: the best one may not have met the budget yet",
                action="remove load_best_model_at_end, or choose another adapter",
            )

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Tell AdaLoRA how long the run is, and what it knew of its ranks in an earlier part."""
        tuner = _tuner(kwargs["model"])
        config = tuner.peft_config[tuner.trainable_adapter_name]
        config.total_step = state.max_steps
        if not config.tinit and not config.tfinal:
            config.tinit = int(_BEFORE * state.max_steps)
            config.tfinal = int(_AFTER * state.max_steps)
        if config.tinit >= config.total_step - config.tfinal:
            raise ConfigError(
                arrived=f"AdaLoRA with tinit {config.tinit} and tfinal {config.tfinal} in a run "
                f"of {config.total_step} steps",
                expected="steps left between the first and the last of them",
                action="lower tinit or tfinal, or train longer",
            )
        tuner.rankallocator.set_total_step(state.max_steps)
        self._close()
        self._pattern = {}
        self._carried = CarriedTensors(
            torch_optimizer(kwargs["optimizer"]), lambda: self._tensors(tuner), _KEY
        )
        tuner.rankallocator.reset_ipt()
        if state.global_step:
            self._go_on(tuner, self._carried.loaded, state.global_step)

    def on_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Weigh the ranks by the gradients of the step, and drop some."""
        tuner = _tuner(kwargs["model"])
        name = tuner.trainable_adapter_name
        matrices = [p for n, p in tuner.model.named_parameters() if "lora_" in n and name in n]
        if any(matrix.grad is None for matrix in matrices):
            raise ConfigError(
                arrived="an AdaLoRA matrix without gradient",
                expected="all of them training: they are weighed against each other",
                action='use a schedule whose phases all train "*", or another adapter',
            )
        config = tuner.peft_config[name]
        config.rank_pattern = self._pattern
        tuner.update_and_allocate(state.global_step)
        # With a pattern peft saves the kept rows alone, and a Trainer could not load them.
        self._pattern, config.rank_pattern = config.rank_pattern, None

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Let what is saved from now on hold the kept ranks alone."""
        tuner = _tuner(kwargs["model"])
        tuner.peft_config[tuner.trainable_adapter_name].rank_pattern = self._pattern or None
        self._close()

    def _tensors(self, tuner: Any) -> dict[str, Tensors]:
        kept = {name: torch.tensor(ranks) for name, ranks in self._pattern.items()}
        means = {mean: dict(getattr(tuner.rankallocator, mean)) for mean in _MEANS}
        return {"span": {"steps": torch.tensor(_span(tuner))}, "pattern": kept, **means}

    def _go_on(self, tuner: Any, loaded: dict[str, Tensors], step: int) -> None:
        if not loaded:
            raise ConfigError(
                arrived=f"a checkpoint of step {step} that does not say how ranks were weighed",
                expected="one of a run with RankBudgetCallback, optimizer.pt included",
                action="train without resume_from_checkpoint",
            )
        before = loaded["span"]["steps"].tolist()
        if before != _span(tuner):
            raise ConfigError(
                arrived="AdaLoRA with total_step, tinit and tfinal of {}, {} and {}, resumed from "
                "{}, {} and {}".format(*_span(tuner), *before),
                expected="the same steps: by them the budget of ranks falls",
                action="set max_steps or num_train_epochs, tinit and tfinal as before",
            )
        self._pattern = {name: kept.tolist() for name, kept in loaded.get("pattern", {}).items()}
        for mean in _MEANS:
            here = getattr(tuner.rankallocator, mean)
            for name, tensor in loaded.get(mean, {}).items():
                here[name] = tensor.to(tuner.model.get_parameter(name).device)
        # peft makes new entries of all three where this one lacks a name.
        tuner.rankallocator.ipt = dict(tuner.rankallocator.exp_avg_ipt)

    def _close(self) -> None:
        if self._carried is not None:
            self._carried.remove()
        self._carried = None


def _span(tuner: Any) -> list[int]:
    config = tuner.peft_config[tuner.trainable_adapter_name]
    return [config.total_step, config.tinit, config.tfinal]


def _tuner(model: Any) -> Any:
    from peft.tuners.adalora import AdaLoraModel

    for part in model.modules():
        if isinstance(part, AdaLoraModel):
            return part
    raise ConfigError(
        arrived=f"RankBudgetCallback with {type(model).__name__}, which has no AdaLoRA adapter",
        expected='a model from apply_adapter(model, "adalora")',
        action="remove the callback",
    )
