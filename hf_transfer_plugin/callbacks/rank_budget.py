"""AdaLoRA in a Trainer: the budget of ranks shrinks as the run goes on."""

from __future__ import annotations

from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from hf_transfer_plugin.errors import ConfigError

__all__ = ["RankBudgetCallback"]

# Shares of the run before the budget shrinks, and after it has.
_BEFORE, _AFTER = 0.1, 0.3


class RankBudgetCallback(TrainerCallback):
    """Lets AdaLoRA drop the ranks that matter least; without it they all stay.

    The budget falls from `init_r` to `target_r` for each matrix, from `tinit` steps on until
    `tfinal` steps before the end. Where these are not set: a tenth of the run, and the last 0.3
    of it. What AdaLoRA knows of its ranks is not part of checkpoints, so a run is not resumed.

    References:
        Zhang et al., "AdaLoRA: Adaptive Budget Allocation for Parameter-Efficient Fine-Tuning"
        (2023).
    """

    def on_init_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Refuse what would load a checkpoint whose ranks are not those of the model."""
        if args.load_best_model_at_end:
            raise ConfigError(
                arrived="AdaLoRA with load_best_model_at_end",
                expected="the model of the last step: one of fewer ranks cannot be loaded into it",
                action="remove load_best_model_at_end, or choose another adapter",
            )

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Tell AdaLoRA how long the run is."""
        tuner = _tuner(kwargs["model"])
        if state.global_step:
            raise ConfigError(
                arrived=f"an AdaLoRA run that goes on from step {state.global_step}",
                expected="a run from its beginning: checkpoints do not hold how ranks were weighed",
                action="train without resume_from_checkpoint, or choose another adapter",
            )
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
        tuner.update_and_allocate(state.global_step)


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
