"""What a phase means for the layer groups of a model."""

from __future__ import annotations

import pytest

from hf_transfer_plugin.adapt.schedule_state import Measured, select_trained
from hf_transfer_plugin.adapt.schedules import FreezingSchedule
from hf_transfer_plugin.errors import ScheduleError
from hf_transfer_plugin.layers import layer_groups
from tests.callbacks.tiny import bert

GROUPS = layer_groups(bert())  # embeddings, layer.0, layer.1, neck, head
S = FreezingSchedule


def factors(schedule: FreezingSchedule, measured: Measured | None = None) -> dict[str, float]:
    return schedule.at(0, 8).resolve(GROUPS, measured)


def test_decay_counts_from_the_head_whatever_trains() -> None:
    found = factors(S.full(2.0).with_rates(decay=0.5))
    assert found == {"embeddings": 0.25, "layer.0": 0.5, "layer.1": 1.0, "neck": 2.0, "head": 2.0}
    assert factors(S.surgical("layer.0").with_rates(decay=0.5)) == {"layer.0": 0.25}


def test_rates_multiply_what_they_name() -> None:
    found = factors(S.full().with_rates(decay=0.5, rates={"layer.*": 0.1, "bottom:0": 4.0}))
    expected = {"embeddings": 0.5, "layer.0": 0.025, "layer.1": 0.05, "neck": 1.0, "head": 1.0}
    assert found == pytest.approx(expected)


def test_rates_that_name_nothing() -> None:
    with pytest.raises(ScheduleError, match="did you mean 'layer.1'"):
        factors(S.full().with_rates(rates={"layer.11": 0.1}))


def test_what_was_measured() -> None:
    assert set(factors(S.auto_freeze(every=2), Measured(frozen=("embeddings",)))) == {
        "layer.0",
        "layer.1",
        "neck",
        "head",
    }
    found = factors(S.auto_rgn(), Measured(ratios={"layer.0": 0.5, "head": 0.25}))
    assert (found["layer.0"], found["head"], found["neck"]) == (0.5, 0.25, 1.0)


def test_matrices_are_chosen_outside_of_train() -> None:
    state = S.spectrum(0.5).at(0, 8)
    assert state.partial(GROUPS) == ("layer.0", "layer.1")
    assert S.full().at(0, 8).partial(GROUPS) == ()


def test_base_weights_come_beside_their_group() -> None:
    assert select_trained(GROUPS, ["top:1", "base:layer.*"]) == (
        "base:layer.0",
        "layer.1",
        "base:layer.1",
        "neck",
        "head",
    )
    both = S.adapters_first(0.5, "top:0", 0.1).at(7, 8).resolve(GROUPS)
    assert both["head"] == 1.0 and both["base:head"] == 0.1 and "base:layer.0" not in both


@pytest.mark.parametrize("selector", ["bottom:3", "bottom:x", "bottom:-1", "base:nothing"])
def test_selectors_that_name_nothing(selector: str) -> None:
    with pytest.raises(ScheduleError):
        select_trained(GROUPS, [selector])


def test_bottom_counts_from_the_input() -> None:
    assert select_trained(GROUPS, ["bottom:0"]) == ("embeddings",)
    assert select_trained(GROUPS, ["bottom:1"]) == ("embeddings", "layer.0")
    assert select_trained(GROUPS, ["bottom:2"]) == ("embeddings", "layer.0", "layer.1")
