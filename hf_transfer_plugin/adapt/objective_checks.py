"""What of a plan does not go together with its objective: known before anything trains."""

from __future__ import annotations

from typing import Any

from hf_transfer_plugin.errors import ConfigError
from hf_transfer_plugin.records import Plan

__all__ = ["check_objective_of_plan"]


def check_objective_of_plan(plan: Plan, config: Any) -> None:
    """Check the objective of a plan against its checkpoint.

    Args:
        plan: what shall train.
        config: configuration that the checkpoint came with, as transformers has it.

    Raises:
        ConfigError: for an objective that needs the head of a checkpoint that has none.
    """
    if plan.objective is None or "source_head" not in plan.objective.kind.reads:
        return
    stated = getattr(config, "architectures", None) or ()
    if stated and not any("Classification" in each for each in stated):
        raise ConfigError(
            arrived=f"objective {plan.objective.name} on {plan.checkpoint}, a {stated[0]}",
            expected="a checkpoint that was trained to tell classes, with its head",
            action="choose such a checkpoint, or another objective",
        )
