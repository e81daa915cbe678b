"""A pilot: halving on validation, the order of the rules where noise decides, and a budget."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hf_transfer_plugin import Plan
from hf_transfer_plugin.errors import LaunchError
from hf_transfer_plugin.proposals.piloting import check_pilot, piloted
from hf_transfer_plugin.proposals.proposing import propose
from hf_transfer_plugin.proposals.records import Kept, Proposal
from hf_transfer_plugin.records import DataSpec
from tests.proposals.test_rules import TEXTS, facts

PLAN = Plan("transfer", "text-classification", "a/b", DataSpec("x"), batch_size=10)
SHORT = {"lora, lp_ft": 0.5, "lp_ft": 0.9, "full": 0.8, "ia3": 0.4}
KNOWN = facts(TEXTS, 400, pass_seconds=1.0, batch_size=10)


def pilot(
    values: dict[str, float], proposal: Proposal, plan: Plan = PLAN
) -> tuple[Proposal, list[Plan]]:
    """Return what a pilot makes of these values of validation, and what was trained."""
    trained: list[Plan] = []

    def train(plan: Plan, name: str, share: float) -> tuple[float, float]:
        trained.append(plan)
        return values[name], 2.0

    return piloted(proposal, plan, 400, train), trained


def test_the_better_two_go_on() -> None:
    found, trained = pilot(SHORT, propose(KNOWN))
    assert found.chosen == "lp_ft" and found.pilot is not None
    runs = [(each.option, round(each.share, 2)) for each in found.pilot.runs]
    assert [name for name, share in runs if share == 0.33] == list(SHORT)
    assert [name for name, share in runs if share == 1.0] == ["lp_ft", "full"]
    assert found.pilot.seconds == 12.0
    epochs = found.options[0].epochs
    assert epochs is not None
    assert trained[0].training["num_train_epochs"] == pytest.approx(epochs / 3)
    assert found.pilot.examples == round(400 * epochs / 3) * 4 + 2 * round(400 * epochs)
    assert {(each.seeds, each.watch, each.average) for each in trained} == {((0,), "off", None)}
    assert found.options == propose(KNOWN).options


def test_noise_does_not_overrule_the_rules() -> None:
    near = {"lora, lp_ft": 0.790, "lp_ft": 0.805, "full": 0.5, "ia3": 0.5}
    found, _ = pilot(near, propose(KNOWN))
    assert found.chosen == "lora, lp_ft" and found.pilot is not None
    assert "level within one standard error (0.020)" in found.pilot.why
    far, _ = pilot({**near, "lp_ft": 0.83}, propose(KNOWN))
    assert far.chosen == "lp_ft"


def test_a_pilot_takes_a_quarter_of_the_budget() -> None:
    costs = [each.cost.seconds or 0.0 for each in propose(KNOWN).options[:4]]

    def minutes(options: int) -> float:
        some = costs[:options]
        return 4 * (sum(some) / 3 + sum(sorted(some)[-2:])) / 60 + 1e-6

    for options in (4, 3):
        _, trained = pilot(SHORT, propose(replace(KNOWN, budget_minutes=minutes(options))))
        assert len(trained) == options + 2
    poor, trained = pilot(SHORT, propose(replace(KNOWN, budget_minutes=0.5 * minutes(2))))
    assert not trained and poor.pilot is None and poor.findings[-1].startswith("no pilot")


def test_a_length_and_a_grid_of_the_user() -> None:
    kept = Kept(training={"max_steps": 30}, learning_rates=(1e-4, 3e-4, 1e-3))
    plan = replace(PLAN, training=kept.training, learning_rates=kept.learning_rates)
    _, trained = pilot(SHORT, propose(replace(KNOWN, kept=kept)), plan)
    assert [each.training["max_steps"] for each in trained] == [10] * 4 + [30] * 2
    assert {each.training["learning_rate"] for each in trained} == {3e-4}
    assert {each.learning_rates for each in trained} == {()}


def test_one_process_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(LaunchError, match="a pilot in 2 processes"):
        check_pilot()
