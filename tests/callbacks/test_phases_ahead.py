"""What is said to train later is what then trains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from transformers import TrainerCallback

from hf_transfer_plugin import FreezingCallback, FreezingSchedule
from hf_transfer_plugin.callbacks.phases_ahead import PhaseAhead, phases_ahead
from hf_transfer_plugin.layers import LayerGroups, layer_groups
from tests.callbacks.schedule_cases import SCHEDULES
from tests.callbacks.tiny import STEPS, bert, efficientnet, lora, trainer

KINDS = {"bert": bert, "efficientnet": efficientnet, "lora": lora}
CASES = [
    (kind, name)
    for kind in KINDS
    for name, case in SCHEDULES.items()
    if kind in case.models and not (kind == "lora" and name not in ("adapters_first", "lp_ft"))
]


class Foresight(TrainerCallback):
    """Asks at every step what is ahead, and keeps what trains."""

    def __init__(self, groups: LayerGroups, freezing: FreezingCallback) -> None:
        self.groups, self.freezing = groups, freezing
        self.trained: list[frozenset[str]] = []
        self.ahead: list[list[PhaseAhead]] = []

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        parameters = dict(kwargs["model"].named_parameters())
        now = frozenset(
            group.name
            for group in self.groups
            if any(parameters[name].requires_grad for name in group.parameter_names)
        )
        self.trained.append(now)
        self.ahead.append(
            phases_ahead([self.freezing], self.groups, now, state.global_step, state.max_steps)
        )


def by_step(ahead: list[PhaseAhead]) -> list[frozenset[str]]:
    return [phase.trained for phase in ahead for _ in range(phase.steps)]


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_a_schedule(kind: str, name: str, tmp_path: Path) -> None:
    case, model = SCHEDULES[name], KINDS[kind]()
    freezing = FreezingCallback(case.schedule(model))
    seen = Foresight(layer_groups(model), freezing)
    trainer(model, tmp_path, freezing, seen, **case.arguments).train()
    assert len(seen.trained) == STEPS
    # A phase may select what PEFT froze, too.
    loose = kind == "lora" or any(phase.choose is not None for phase in case.schedule(model).phases)
    for step, ahead in enumerate(seen.ahead):
        assert all(phase.steps > 0 for phase in ahead)
        assert ahead[0].trained == seen.trained[step]
        said = by_step(ahead)
        if "plateau" in name:
            # Nobody knows when it ends; until then nothing else trains.
            continue
        assert len(said) == STEPS - step, f"steps are missing at step {step}"
        for later, (trained, happened) in enumerate(zip(said, seen.trained[step:], strict=True)):
            assert trained >= happened, f"at step {step} of step {step + later}"
            assert loose or trained == happened, f"at step {step} of step {step + later}"


def test_table_is_whole() -> None:
    assert len(CASES) == 2 * 19 + 2


def test_without_a_schedule_nothing_changes(tmp_path: Path) -> None:
    groups, now = layer_groups(bert()), frozenset({"head"})
    assert phases_ahead([], groups, now, 3, 10) == [PhaseAhead(7, now)]
    # A callback whose run has not begun knows nothing.
    idle = FreezingCallback(FreezingSchedule.lp_ft())
    assert phases_ahead([idle], groups, now, 3, 10) == [PhaseAhead(7, now)]


def test_what_is_left_of_a_phase(tmp_path: Path) -> None:
    model = bert()
    freezing = FreezingCallback(FreezingSchedule.lp_ft(0.5))
    seen = Foresight(layer_groups(model), freezing)
    trainer(model, tmp_path, freezing, seen).train()
    found = [[phase.steps for phase in ahead] for ahead in seen.ahead]
    assert found == [[4, 4], [3, 4], [2, 4], [1, 4], [4], [3], [2], [1]]
    assert seen.ahead[0][1].trained == frozenset(layer_groups(model).names)
