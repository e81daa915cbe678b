"""Every schedule, and the models that each must work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from hf_transfer_plugin.adapt.schedules import FreezingSchedule
from hf_transfer_plugin.layers import layer_groups
from tests.callbacks.tiny import bert, efficientnet, lora, resnet, vit

# The loss falls, so when larger counts as better validation stops improving at once.
PLATEAU: dict[str, Any] = {
    "eval_strategy": "steps",
    "eval_steps": 1,
    "metric_for_best_model": "loss",
    "greater_is_better": True,
}
MODELS: dict[str, Callable[[], nn.Module]] = {
    "bert": bert,
    "vit": vit,
    "resnet": resnet,
    "efficientnet": efficientnet,
    "lora": lora,
}


@dataclass(frozen=True)
class ScheduleCase:
    """A schedule and what its run needs.

    Attributes:
        build: from the names of the blocks of a model.
        arguments: for TrainingArguments.
        models: the models it is for.
    """

    build: Callable[[list[str]], FreezingSchedule]
    arguments: dict[str, Any] = field(default_factory=dict)
    models: tuple[str, ...] = tuple(MODELS)

    def schedule(self, model: nn.Module) -> FreezingSchedule:
        return self.build([group.name for group in layer_groups(model) if group.is_block])


S = FreezingSchedule
SCHEDULES: dict[str, ScheduleCase] = {
    "linear_probe": ScheduleCase(lambda blocks: S.linear_probe()),
    "full": ScheduleCase(lambda blocks: S.full(rate=0.5)),
    "top_layers": ScheduleCase(lambda blocks: S.top_layers(1)),
    "gradual_unfreezing": ScheduleCase(lambda blocks: S.gradual_unfreezing(2)),
    "gradual by epoch": ScheduleCase(
        lambda blocks: S.from_phases(
            [{"train": "top:0", "until_epoch": 0.75}, {"train": "top:1", "until_epoch": 1.5}]
            + [{"train": "*"}]
        )
    ),
    "lp_ft": ScheduleCase(lambda blocks: S.lp_ft(0.5, rate=0.5)),
    # Freezes the head again, when Adam holds momentum and weight decay for it.
    "chain_thaw": ScheduleCase(lambda blocks: S.chain_thaw(blocks[-2:])),
    "surgical": ScheduleCase(lambda blocks: S.surgical(blocks[0], "head")),
    "refreezing": ScheduleCase(
        lambda blocks: S.from_phases(
            [{"train": "*", "until_step": 3}, {"train": [blocks[-1]], "until_step": 6}]
            + [{"train": "top:0"}]
        )
    ),
    "discriminative": ScheduleCase(lambda blocks: S.full().with_rates(decay=0.5)),
    "rates by group": ScheduleCase(
        lambda blocks: S.lp_ft(0.4).with_rates(rates={blocks[0]: 0.1, "head": 2.0})
    ),
    "slanted triangular": ScheduleCase(
        lambda blocks: S.lp_ft(0.5).with_rates(curve="slanted_triangular", warmup=0.3)
    ),
    "cosine with warm-up": ScheduleCase(
        lambda blocks: S.gradual_unfreezing(1).with_rates(curve="cosine", warmup=0.25, decay=0.7)
    ),
    "auto_rgn": ScheduleCase(lambda blocks: S.auto_rgn(every=2)),
    "lisa": ScheduleCase(lambda blocks: S.lisa(1, every=2)),
    "spectrum": ScheduleCase(lambda blocks: S.spectrum(0.5)),
    "auto_freeze": ScheduleCase(lambda blocks: S.auto_freeze(60.0, every=2)),
    "plateau": ScheduleCase(lambda blocks: S.lp_ft().with_plateau(2), PLATEAU),
    "chain_thaw on plateaus": ScheduleCase(
        lambda blocks: S.chain_thaw(blocks[-1:]).with_plateau(1), PLATEAU
    ),
    "adapters_first": ScheduleCase(
        lambda blocks: S.adapters_first(0.5, "top:1", 0.3), models=("lora",)
    ),
}
CASES = [(model, name) for name, case in SCHEDULES.items() for model in case.models]
