"""The rules: which way for which facts, what stays, what it costs, and on which figure it rests."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hf_transfer_plugin import Adapter, Objective, Plan
from hf_transfer_plugin.average_records import Average
from hf_transfer_plugin.proposal_records import Facts, Kept, Proposal
from hf_transfer_plugin.proposals.evidence import EVIDENCE
from hf_transfer_plugin.proposals.proposing import planned, propose
from hf_transfer_plugin.proposals.rules import FEW_IMAGES, FEW_TEXTS, MANY_IMAGES
from hf_transfer_plugin.records import DataSpec

ROOT = Path(__file__).parents[2]
_NUMBER = re.compile(r"[+-]?\d*\.\d+ (?:\[[^\]]+\]|(?:±|\+-) \d*\.\d+|\(\d*\.\d+ to \d*\.\d+\))")
TEXTS: dict[str, Any] = {"task": "text-classification", "parameters": 22_700_000, "blocks": 6}
IMAGES: dict[str, Any] = {"task": "image-classification", "parameters": 3_400_000, "blocks": 7}


def facts(kind: dict[str, Any], rows: int, classes: int = 4, **known: Any) -> Facts:
    """Return facts with even classes."""
    return Facts(class_rows=(rows // classes,) * classes, checkpoint="a/b", **kind, **known)


CASES = [
    (facts(TEXTS, 400), "lora, lp_ft"),
    (facts(TEXTS, 1396), "lora, lp_ft"),
    (facts(TEXTS, 1400), "full"),
    (facts(TEXTS, 9000, labels="source"), "full"),
    (facts(TEXTS, 400, boundary="neck", beyond=("top:2",)), "lora, lp_ft"),
    (facts(IMAGES, 96, 32), "head alone"),
    (facts(IMAGES, 320, 32), "head alone"),
    (facts(IMAGES, 352, 32), "ia3"),
    (facts(IMAGES, 3200, 32), "lp_ft"),
    (facts(IMAGES, 3200, 32, readout=0.97), "head alone"),
    (facts(IMAGES, 352, 32, ahead=-0.1, ahead_lower=-0.2), "lp_ft"),
    (facts(IMAGES, 352, 32, ahead=0.1, ahead_lower=-0.2), "ia3"),
    (facts(IMAGES, 96, 32, boundary="blocks.5.0", beyond=("top:2",)), "beyond the cut"),
    (facts(IMAGES, 700, 7, labels="source", unlabelled_rows=700), "mcc"),
    (facts(IMAGES, 700, 7, labels="both", unlabelled_rows=700), "mcc"),
]


@pytest.mark.parametrize(("known", "chosen"), CASES)
def test_the_first_way_of_the_rules(known: Facts, chosen: str) -> None:
    found = propose(known)
    assert found.chosen == chosen == found.options[0].name
    assert len({each.name for each in found.options}) == len(found.options) >= 3
    axes = [each.axis for each in found.option.reasons]
    assert axes == ["schedule and adapter", "objective", "average", "learning rate", "length"]
    assert all(each.why and each.source and each.choice for each in found.option.reasons)
    assert Proposal.from_json(found.to_json()) == found == propose(known)


def test_every_figure_stands_in_its_source() -> None:
    held = 0
    for each in EVIDENCE.values():
        numbers = _NUMBER.findall(each.figure)
        source = ROOT / each.source
        assert bool(each.figure) == source.is_file(), each
        for number in numbers:
            assert number in source.read_text(encoding="utf-8"), (number, each.source)
        held += len(numbers)
    assert held > 45


def test_nothing_that_was_written_is_replaced() -> None:
    kept = Kept(
        schedule={"name": "lp_ft", "fraction": 0.5},
        adapter=Adapter("dora"),
        objective=Objective("l2sp"),
        average=Average("ema"),
        training={"learning_rate": 7e-4, "max_steps": 30},
    )
    found = propose(facts(TEXTS, 400, kept=kept))
    (only,) = found.options
    assert only.name == "lp_ft, dora, l2sp" and (only.learning_rate, only.epochs) == (None, None)
    assert only.cost.examples == 30 * 32
    assert [each.source for each in only.reasons] == ["your config"] * 5
    plan = Plan("transfer", "text-classification", "a/b", DataSpec("x"), training=kept.training)
    made = planned(only, plan)
    assert made.training == {"learning_rate": 7e-4, "max_steps": 30}
    assert (made.adapter, made.objective) == (kept.adapter, kept.objective)
    assert made.schedule[0].until_fraction == 0.5


@pytest.mark.parametrize(
    ("kept", "names"),
    [
        (Kept(adapter=Adapter("lora")), ["lora, lp_ft", "full, lora"]),
        (Kept(schedule={"name": "full"}), ["full, lora", "full", "ia3"]),
        (Kept(objective=Objective("r_drop")), None),
        (Kept(average=Average("wise_ft")), ["lora, lp_ft", "lp_ft"]),
    ],
)
def test_one_axis_is_written(kept: Kept, names: list[str] | None) -> None:
    found = propose(facts(TEXTS, 400, kept=kept))
    if names is not None:
        assert [each.name for each in found.options] == names
    for each in found.options:
        assert kept.schedule in (None, each.schedule)
        assert kept.adapter in (None, each.adapter)
        assert kept.objective in (None, each.objective)


def test_a_budget_leaves_out_what_takes_longer() -> None:
    known = facts(TEXTS, 4800, pass_seconds=60.0, seeds=2)
    cheap = propose(known)
    assert cheap.option.cost.seconds == 2 * 3 * 3 * 60.0 and cheap.chosen == "full"
    tight = propose(replace(known, budget_minutes=13.0))
    assert tight.chosen == "ia3" and "18.0 minutes" in tight.options[0].left_out
    none = propose(replace(known, budget_minutes=0.5))
    assert none.chosen == "head alone" and "nothing fits the budget" in none.findings[0]
    blind = propose(replace(known, budget_minutes=0.5, pass_seconds=None))
    assert blind.chosen == "full" and "no forward pass was measured" in blind.findings[0]


def test_a_budget_shortens_down_to_half() -> None:
    known = facts(TEXTS, 400, pass_seconds=10.0, seeds=2)
    whole = propose(known).option
    assert whole.name == "lora, lp_ft" and whole.epochs is not None
    assert whole.cost.seconds is not None
    minutes = whole.cost.seconds / 60
    for share in (0.75, 0.5):
        short = propose(replace(known, budget_minutes=share * minutes)).option
        assert short.name == whole.name and short.epochs is not None
        assert 0 <= share * whole.epochs - short.epochs < 1
        length = next(each for each in short.reasons if each.axis == "length")
        assert length.source == "your budget" and f"{whole.epochs:g} epochs would be" in length.why
        later = propose(
            replace(
                known, budget_minutes=share * minutes, kept=Kept(training={"num_train_epochs": 9})
            )
        )
        assert later.options[0].epochs is None, "a length that was written stays"
    least = propose(replace(known, budget_minutes=0.45 * minutes))
    assert least.options[0].left_out and least.options[0].epochs == whole.epochs


def test_costs_follow_what_runs() -> None:
    costs = {each.name: each.cost for each in propose(facts(IMAGES, 320, 32)).options}
    assert costs["head alone"].passes == 1.0
    assert costs["head alone"].memory < costs["ia3"].memory < costs["delta"].memory
    uncached = propose(facts(IMAGES, 320, 32, prefix_cache=False)).options[0]
    assert uncached.cost.passes == uncached.epochs == 50


def test_large_networks_take_rates_of_the_literature() -> None:
    known = facts({**TEXTS, "parameters": 110_000_000}, 4800)
    rate = propose(known).option.reasons[3]
    assert rate.choice == "2e-05" and rate.figure == "" and "BERT (2019)" in rate.source


def test_many_classes_take_the_rate_of_banking77() -> None:
    rates = {classes: propose(facts(TEXTS, 7700, classes)).option for classes in (21, 22)}
    assert {n: each.learning_rate for n, each in rates.items()} == {21: 1e-4, 22: 3e-4}


def test_what_lies_outside_of_a_plan_is_named() -> None:
    few, *_ = propose(facts(TEXTS, 32)).findings
    assert "8.0 labels of a class" in few and "hf-tl few-shot" in few
    uneven = replace(facts(TEXTS, 400), class_rows=(390, 5, 5, 0))
    assert "the rarest class has 0 rows" in propose(uneven).findings[0]


def test_the_page_is_run_as_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    page = (ROOT / "docs" / "planning.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(code, {})
    first, *reasons = capsys.readouterr().out.splitlines()
    assert first == "head alone" and len(reasons) == 5
    assert "schedule: auto" in page and f"fewer than {FEW_TEXTS:,} rows" in page
    assert f"fewer than {FEW_IMAGES} a class" in page and f"{MANY_IMAGES} a class" in page
