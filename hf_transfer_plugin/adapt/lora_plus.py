"""LoRA+: the B matrices of an adapter at a higher rate than everything else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hf_transfer_plugin.errors import ConfigError

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer
    from transformers import TrainingArguments

__all__ = ["lora_plus"]

_B = (".lora_B.", ".lora_embedding_B.")


def lora_plus(args: TrainingArguments, ratio: float = 16.0) -> tuple[type, dict[str, Any]]:
    """Return the optimizer of the arguments, with the rate of the B matrices times a ratio.

    Weight decay is Trainer's own. Schedulers scale both rates, and so do the factors of a
    `FreezingCallback`. (The helper of peft also raises the rate of every bias, the head's among
    them, and drops weight decay; the paper does neither.)

    Args:
        args: of the Trainer.
        ratio: rate of B over that of A and the head, from 1 up; the paper takes 16.

    Returns:
        `optimizer_cls_and_kwargs` of a Trainer.

    Raises:
        ConfigError: for a ratio below 1.

    Examples:
        >>> Trainer(model, args, optimizer_cls_and_kwargs=lora_plus(args, 16))  # doctest: +SKIP

    References:
        Hayou et al., "LoRA+: Efficient Low Rank Adaptation of Large Models" (2024).
    """
    if not ratio >= 1:
        raise ConfigError(f"LoRA+ with the ratio {ratio!r}", "1 or more", "correct the ratio")
    return _LoraPlus, {"args": args, "ratio": ratio}


class _LoraPlus:
    """Trainer makes one and calls it when everything that will train is trainable."""

    def __call__(self, model: nn.Module, *, args: TrainingArguments, ratio: float) -> Optimizer:
        from transformers import Trainer

        kind, options = Trainer.get_optimizer_cls_and_kwargs(args, model)  # type: ignore[arg-type]
        trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
        raised = {name for name in trained if any(part in name for part in _B)}
        if not raised:
            raise ConfigError(
                arrived=f"LoRA+ for {type(model).__name__}, which has no B matrix",
                expected="a model with an adapter of the LoRA family",
                action='attach one first: apply_adapter(model, "lora")',
            )
        decayed = set(Trainer.get_decay_parameter_names(None, model))  # type: ignore[arg-type]
        groups = []
        for is_raised in (False, True):
            for decays in (True, False):
                members = [
                    parameter
                    for name, parameter in trained.items()
                    if (name in raised) is is_raised and (name in decayed) is decays
                ]
                rate = args.learning_rate * (ratio if is_raised else 1.0)
                decay = args.weight_decay if decays else 0.0
                if members:
                    groups.append({"params": members, "weight_decay": decay, "lr": rate})
        made: Optimizer = kind(groups, **options)
        return made
