"""Plans of the rungs, and rungs on images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from hf_transfer_plugin import FreezingSchedule, Plan, controls
from hf_transfer_plugin.errors import ConfigError
from hf_transfer_plugin.ladder import rungs
from hf_transfer_plugin.ladder.climbing import _check_alike
from hf_transfer_plugin.ladder.rung_plans import (
    adapter_plan,
    is_adapter_only,
    is_lp_ft,
    is_probe,
    lp_ft_plan,
    probe_plan,
)
from hf_transfer_plugin.ladder.rungs import RUNGS, Ground, Tried
from hf_transfer_plugin.records import Adapter, Average, DataSpec
from tests.train.conftest import images as images
from tests.train.settings import Setting


def _plan(schedule: FreezingSchedule, **keys: object) -> Plan:
    known: dict[str, object] = {"training": {"learning_rate": 1e-4}, **keys}
    return Plan(
        "transfer",
        "text-classification",
        "sample:minilm",
        DataSpec("texts"),
        schedule=schedule.phases,
        **known,  # type: ignore[arg-type]
    )


def test_lp_ft_steps_larger_in_the_head() -> None:
    plan = lp_ft_plan(_plan(FreezingSchedule.full()))
    assert is_lp_ft(plan) and plan.name == "lp-ft" and not is_probe(plan)
    assert plan.learning_rates == (3e-4, 1e-3, 3e-3), "of the head; all else at a tenth"
    assert [phase.rate for phase in plan.schedule] == [1.0, 0.1]
    of_probe = lp_ft_plan(_plan(FreezingSchedule.linear_probe()))
    assert of_probe.learning_rates == (1e-5, 1e-4, 1e-3, 1e-2)


def test_a_plan_that_is_lp_ft_is_kept() -> None:
    plan = _plan(FreezingSchedule.lp_ft(0.5), learning_rates=(1e-3,))
    found = lp_ft_plan(plan)
    assert found.schedule == plan.schedule and found.learning_rates == (1e-3,)
    ground = Ground(plan, None, Path())  # type: ignore[arg-type]
    assert RUNGS["lp-ft"](ground) == "the transfer is LP-FT already"


@pytest.mark.parametrize("make", [lp_ft_plan, adapter_plan, probe_plan])
def test_rungs_take_no_average_of_the_plan(make: Callable[[Plan], Plan]) -> None:
    for schedule in (FreezingSchedule.full(), FreezingSchedule.lp_ft(0.5)):
        assert make(_plan(schedule, average=Average("ema"))).average is None


def test_a_probe_is_tried_again_unless_its_rate_was_tuned() -> None:
    plan = _plan(FreezingSchedule.linear_probe(), learning_rates=(1e-4, 1e-3, 1e-2))
    assert is_probe(plan) and is_probe(probe_plan(plan))
    ground = Ground(plan, None, Path())  # type: ignore[arg-type]
    assert "its rate was tuned" in str(RUNGS["frozen-probe"](ground))


def test_the_adapter_has_rates_of_its_own_and_is_not_tried_twice() -> None:
    plan = adapter_plan(_plan(FreezingSchedule.lp_ft()))
    assert plan.adapter == Adapter("lora", {"r": 8}, keep="merged") and is_adapter_only(plan)
    assert [phase.train for phase in plan.schedule] == [("*",)]
    assert plan.learning_rates == (1e-4, 3e-4, 1e-3, 3e-3)
    of_probe = adapter_plan(_plan(FreezingSchedule.linear_probe()))
    assert of_probe.learning_rates == (1e-5, 1e-4, 1e-3, 1e-2)
    given = Adapter.from_config({"name": "lora", "r": 4, "keep": "adapter"})
    of_adapter = _plan(FreezingSchedule.full(), adapter=given)
    assert not is_adapter_only(of_adapter) and lp_ft_plan(of_adapter).adapter is None
    assert adapter_plan(of_adapter).learning_rates == (3e-5, 1e-4, 3e-4)
    assert probe_plan(of_adapter).adapter is None and not is_lp_ft(of_adapter)
    ground = Ground(plan, None, Path())  # type: ignore[arg-type]
    assert "is this adapter already" in str(RUNGS["adapter-only"](ground))


def test_the_ends_of_the_line_are_the_models_that_were_measured(
    images: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = images.plan(schedule=FreezingSchedule.lp_ft(0.5).phases)
    ground = Ground(plan, images.data, tmp_path)
    monkeypatch.setattr(rungs, "ALPHAS", (1.0,))
    found = RUNGS["wise-ft"](ground)
    assert isinstance(found, Tried)
    for each in found.result.seeds:
        end = found.models.weights(each.seed)
        assert all(torch.equal(found.weights(each.seed)[name], end[name]) for name in end)
        assert each.validation == found.models.answers(end, "validation").metrics
    start = found.models.weights(0, start=True)
    statistics = [name for name in start if name.endswith("running_mean")]
    assert statistics and any(not torch.equal(start[n], end[n]) for n in statistics)


def test_a_control_on_rows_of_another_domain_is_no_ground() -> None:
    plan = Plan("transfer", "text-classification", "sample:minilm", DataSpec("a"), labels="source")
    alike = replace(plan, choose_by="entropy")
    with pytest.raises(ConfigError, match="control target-only with labels: target"):
        _check_alike(alike, controls(alike, ["target-only"])[0])
    _check_alike(alike, controls(alike, ["frozen-probe"])[0])
