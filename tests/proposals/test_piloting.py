"""A pilot: what it tries, halving on validation, where noise decides, and a budget."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hf_transfer_plugin import Plan
from hf_transfer_plugin.errors import LaunchError
from hf_transfer_plugin.proposal_records import Kept, Proposal
from hf_transfer_plugin.proposals.piloting import check_pilot, piloted
from hf_transfer_plugin.proposals.proposing import propose
from hf_transfer_plugin.records import DataSpec
from tests.proposals.test_rules import IMAGES, TEXTS, facts

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


def rounds(proposal: Proposal) -> tuple[list[str], list[str]]:
    """Return what a pilot trained for a third of its length, and for all of it."""
    assert proposal.pilot is not None
    runs = proposal.pilot.runs
    return [r.option for r in runs if r.share < 1], [r.option for r in runs if r.share == 1]


CUT = {"boundary": "neck", "beyond": ("top:2",)}
WRITTEN = {"kept": Kept(schedule={"name": "full"})}


@pytest.mark.parametrize(
    ("kind", "rows", "classes", "known", "tried"),
    [
        (IMAGES, 96, 32, {}, ["head alone", "ia3", "lora, lp_ft", "full"]),
        (IMAGES, 352, 32, {}, ["ia3", "lora, lp_ft", "head alone", "full"]),
        (IMAGES, 3200, 32, {}, ["lp_ft", "lora, lp_ft", "ia3", "full"]),
        (IMAGES, 352, 32, {"readout": 0.97}, ["head alone", "ia3", "lora, lp_ft", "full"]),
        (IMAGES, 352, 32, {"ahead": 0.0}, ["lp_ft", "full", "lora, lp_ft", "head alone"]),
        (IMAGES, 96, 32, CUT, ["beyond the cut", "ia3", "lora, lp_ft", "full"]),
        (IMAGES, 352, 32, CUT, ["ia3", "beyond the cut", "lora, lp_ft", "full"]),
        (IMAGES, 352, 32, WRITTEN, ["ia3", "full, lora", "full", "delta"]),
        (TEXTS, 400, 4, {}, ["lora, lp_ft", "lp_ft", "full", "ia3"]),
        (TEXTS, 400, 4, CUT, ["lora, lp_ft", "beyond the cut", "lp_ft", "full"]),
        (IMAGES, 700, 7, {"labels": "source"}, ["mcc", "mmd", "top block"]),
    ],
)
def test_full_fine_tuning_is_tried(
    kind: dict[str, Any], rows: int, classes: int, known: dict[str, Any], tried: list[str]
) -> None:
    rule = propose(facts(kind, rows, classes, **known))
    found, _ = pilot({each.name: 0.5 for each in rule.options}, rule)
    short, long = rounds(found)
    assert short == tried and found.chosen == rule.chosen
    assert len(long) == 2 and long[0] == rule.chosen


def test_images_unlike_the_source_are_found() -> None:
    """Validation as it was on 260 digits, where all weights learn late and come out ahead."""
    by_rule = propose(facts(IMAGES, 260, 10, kept=Kept(training={"max_steps": 50})))
    short = {"ia3": 0.715, "lora, lp_ft": 0.595, "head alone": 0.745, "full": 0.605}
    whole = {"ia3": 0.845, "full": 0.87}
    rates: dict[str, float] = {}

    def train(plan: Plan, name: str, share: float) -> tuple[float, float]:
        rates[name] = plan.training["learning_rate"]
        return (short if share < 1 else whole)[name], 1.0

    found = piloted(by_rule, replace(PLAN, training={"max_steps": 50}), 200, train)
    assert rounds(found) == (list(short), list(whole))
    assert by_rule.chosen == "ia3" and found.chosen == "full"
    assert rates["full"] == 1e-3
    many = propose(facts(IMAGES, 585, 37)).options[-1]
    assert many.name == "full" and many.learning_rate == 3e-4


def test_the_best_of_both_kinds_go_on() -> None:
    found, trained = pilot(SHORT, propose(KNOWN))
    assert found.chosen == "lp_ft" and found.pilot is not None
    assert rounds(found) == (list(SHORT), ["lora, lp_ft", "lp_ft"])
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


def test_what_is_level_for_a_fraction_of_the_work_is_told() -> None:
    """Validation as it was on 37 breeds of pets, where the rules know little of what is cheap."""
    by_rule = propose(facts(IMAGES, 585, 37))
    values = {"ia3": 0.80, "lora, lp_ft": 0.79, "head alone": 0.79, "full": 0.6}
    found, _ = pilot(values, by_rule)
    assert found.chosen == "ia3" and rounds(found)[1] == ["ia3", "full"]
    (told,) = found.findings[len(by_rule.findings) :]
    assert "“head alone” takes about" in told and "(0.790 against 0.800)" in told
    assert 'write schedule: {"name": "linear_probe"} into the config' in told
    behind, _ = pilot({**values, "head alone": 0.77}, by_rule)
    assert behind.findings == by_rule.findings
    cheap, _ = pilot({**values, "ia3": 0.6, "head alone": 0.95}, by_rule)
    assert cheap.chosen == "head alone" and cheap.findings == by_rule.findings


def minutes(proposal: Proposal, *names: str) -> float:
    """Return the budget of which a pilot of these options takes a quarter."""
    costs = [each.cost.seconds or 0.0 for each in proposal.options if each.name in names]
    first = sum(costs) / 3 if len(costs) > 2 else 0.0
    return 4 * (first + sum(sorted(costs)[-2:])) / 60 + 1e-6


@pytest.mark.parametrize(
    ("kind", "fit", "tried"),
    [
        (TEXTS, ("lora, lp_ft", "lp_ft", "full", "ia3"), ["lora, lp_ft", "lp_ft", "full", "ia3"]),
        (TEXTS, ("lora, lp_ft", "lp_ft", "full"), ["lora, lp_ft", "lp_ft", "full"]),
        (TEXTS, ("lora, lp_ft", "lp_ft"), ["lora, lp_ft", "lp_ft"]),
        (TEXTS, ("lora, lp_ft", "ia3"), ["lora, lp_ft", "ia3"]),
        (IMAGES, ("ia3", "head alone", "full"), ["ia3", "head alone", "full"]),
        (IMAGES, ("ia3", "full"), ["ia3", "full"]),
        (IMAGES, ("ia3", "head alone"), ["ia3", "head alone"]),
        (IMAGES, (), []),
    ],
)
def test_a_pilot_takes_a_quarter_of_the_budget(
    kind: dict[str, Any], fit: tuple[str, ...], tried: list[str]
) -> None:
    # A length of the user is not cut to the budget.
    kept = Kept(training={"max_steps": 30})
    known = facts(kind, 400, 20, pass_seconds=1.0, batch_size=10, kept=kept)
    budget = minutes(propose(known), *fit) if fit else 2 / 60
    rule = propose(replace(known, budget_minutes=budget))
    plan = replace(PLAN, training=kept.training)
    found, trained = pilot({each.name: 0.5 for each in rule.options}, rule, plan)
    if not tried:
        assert not trained and found.pilot is None and found.findings[-1].startswith("no pilot")
        return
    short, long = rounds(found)
    assert (short or long) == tried and len(long) == 2
    assert len(trained) == (len(tried) + 2 if len(tried) > 2 else 2)


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
