"""What of a plan does not go together with its average: known before anything trains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hf_transfer_plugin.adapt.schedule_state import select_trained
from hf_transfer_plugin.errors import ConfigError
from hf_transfer_plugin.layers import layer_groups
from hf_transfer_plugin.records import Adapter, Average, Phase

if TYPE_CHECKING:
    from torch import nn

__all__ = ["check_average"]


def check_average(
    average: Average | None,
    adapter: Adapter | None,
    schedule: Sequence[Phase],
    model: nn.Module | None = None,
) -> None:
    """Check an average against adapter and schedule.

    Args:
        average: of the plan.
        adapter: of the plan.
        schedule: phases, first to last.
        model: tells which phases train the head, where it is built already.

    Raises:
        ConfigError: for AdaLoRA, and for WiSE-FT without a start that knows the classes.
    """
    if average is None:
        return
    if adapter is not None and adapter.name == "adalora":
        raise ConfigError(
            arrived=f"average {average.name} with adapter adalora",
            expected="weights that mean the same all along: AdaLoRA drops ranks as it trains",
            action="remove the average, or choose lora",
        )
    if not average.kind.needs_start:
        return
    reason = ""
    if len(schedule) == 1:
        reason = "of one phase"
    elif model is not None:
        groups = layer_groups(model)
        before = [selector for phase in schedule[:-1] for selector in phase.train]
        if groups.names[-1] not in select_trained(groups, before):
            reason = "that trains the head in its last phase alone"
    if reason:
        raise ConfigError(
            arrived=f"average {average.name} in a schedule {reason}",
            expected="a last phase that begins with a trained head: WiSE-FT goes back to where it "
            "began, and a new head knows no class",
            action="write schedule: {name: lp_ft, fraction: 0.3}, or choose ema or soup",
        )
