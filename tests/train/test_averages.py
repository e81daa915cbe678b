"""Averages in a run: what validation chooses is what is tested, kept and loaded again."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from hf_transfer_plugin import FreezingSchedule, TransferError, explain, run
from hf_transfer_plugin.adapt.average_checks import check_average
from hf_transfer_plugin.average_kinds import AVERAGES
from hf_transfer_plugin.average_records import PLAIN
from hf_transfer_plugin.checkpoints import Checkpoint
from hf_transfer_plugin.data import prepare
from hf_transfer_plugin.records import Adapter, Average, DataSpec, Phase, Plan, SeedResult
from hf_transfer_plugin.train import averaging
from hf_transfer_plugin.train.answers import answer
from hf_transfer_plugin.train.reached import measured
from tests.callbacks.tiny import changed
from tests.train.settings import BEST_AT_THE_END, Setting

# average -> what wins when each weights tried are better than those before
LAST: dict[str, tuple[Average, str]] = {
    "wise_ft": (Average("wise_ft", {"steps": 2}), "alpha 0"),
    "ema": (Average("ema"), "ema"),
    "soup": (Average("soup", {"members": 2}), "members 0, 1"),
}
ADAPTERS = (None, "lora")
SETTINGS = ("texts", "images")
CASES = list(itertools.product(LAST, ADAPTERS, SETTINGS))
LP_FT = FreezingSchedule.lp_ft(0.5).phases


def test_the_table_is_whole() -> None:
    assert set(LAST) == set(AVERAGES) and len(CASES) == 12


def _plan(setting: Setting, **keys: Any) -> Plan:
    training = {"num_train_epochs": 2, "learning_rate": 1e-2}
    known = {"schedule": LP_FT, "batch_size": 20, "watch": "off", "training": training, **keys}
    # Averages are measured without the cache, which training has used.
    return setting.plan(**known, prefix_cache=keys.get("adapter") is None)


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


_PLAIN: dict[str, SeedResult] = {}


def _plain(setting: Setting, plan: Plan) -> SeedResult:
    """Return what a plan without an average gives, trained once."""
    key = str(plan)
    if key not in _PLAIN:
        _PLAIN[key] = setting.train(plan).result
    return _PLAIN[key]


def _timeless(result: SeedResult) -> SeedResult:
    return replace(result, wall_seconds=0.0, cost=None)


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """Let validation find in averages what stands in a list, first to last."""
    scores: list[float] = []

    def planted(*given: Any) -> dict[str, float]:
        return {**measured(*given), "accuracy": scores.pop(0)}

    monkeypatch.setattr(averaging, "measured", planted)
    yield scores


@pytest.mark.parametrize(("name", "adapter", "kind"), CASES)
def test_the_chosen_weights_are_tested_and_kept(
    name: str,
    adapter: str | None,
    kind: str,
    judge: list[float],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    setting: Setting = request.getfixturevalue(kind)
    average, best = LAST[name]
    judge += [2.0, 3.0]
    plan = _plan(setting, average=average, adapter=Adapter(adapter) if adapter else None)
    trained = setting.train(plan)
    result, chosen = trained.result, trained.result.weights
    assert chosen is not None and chosen.chosen == best
    assert result.validation["accuracy"] == chosen.reached > 1 >= chosen.plain
    trained.save(tmp_path)
    kept = Checkpoint(str(tmp_path)).classifier(setting.task, setting.data.class_names)
    prepared = prepare(Checkpoint(str(setting.checkpoint)), setting.data, ("test",))
    found = answer(kept, prepared, "test")
    assert found.predictions == result.predictions
    assert found.confidences == pytest.approx(result.confidences, abs=1e-5)
    plain = _plain(setting, replace(plan, average=None))
    assert plain.weights is None and plain.curve == result.curve
    assert plain.confidences != pytest.approx(result.confidences, abs=1e-5)
    if name == "wise_ft" and adapter is None:  # back to the pretrained weights under a new head
        moved = changed(_weights(setting.checkpoint), _weights(tmp_path))
        learned = {key for key in moved if not key.endswith("num_batches_tracked")}
        assert learned and all(key.startswith(("classifier", "bert.pooler")) for key in learned)


@pytest.mark.parametrize("name", LAST)
def test_on_a_tie_the_run_is_the_one_without_an_average(
    name: str, texts: Setting, judge: list[float]
) -> None:
    # With the moving average: the plain weights may be the best of the run, not the last.
    plan = _plan(texts, **({"training": BEST_AT_THE_END} if name == "ema" else {}))
    plain = _plain(texts, plan)
    judge += [plain.validation["accuracy"]] * 2
    held = texts.train(replace(plan, average=LAST[name][0])).result
    assert held.weights is not None and held.weights.is_plain
    assert held.weights.plain == held.weights.reached == plain.validation["accuracy"]
    assert _timeless(replace(held, weights=None)) == _timeless(plain)


def test_a_soup_is_cooked_at_the_best_rate_alone(texts: Setting, judge: list[float]) -> None:
    plan = _plan(texts, average=Average("soup", {"members": 2, "spread": 1.0}), seeds=(0,))
    judge += [0.0, 0.0]
    result = run(replace(plan, learning_rates=(1e-2, 1e-3)), test=False, data=texts.data)
    assert len(result.grid) == 2
    weights = result.seeds[0].weights
    assert weights is not None and set(weights.scores) >= {PLAIN, "member 1"}
    assert weights.plain == max(result.grid.values()), "the grid tries the plain training"


def test_members_differ_in_order_and_rate_alike_on_every_day(texts: Setting) -> None:
    plan = _plan(texts, average=Average("soup", {"members": 4, "spread": 4.0}))
    members = list(averaging.soup_members(plan, 1))
    assert [factor for _, factor in members] == [0.25, 4.0, 0.25]
    orders = {order for seed in (0, 1) for order, _ in averaging.soup_members(plan, seed)}
    assert len(orders) == 6 and members == list(averaging.soup_members(plan, 1))


REFUSED: dict[str, tuple[Average, Adapter | None, tuple[Phase, ...], str]] = {
    "no start": (Average("wise_ft"), None, FreezingSchedule.full().phases, "of one phase"),
    "a new head": (
        Average("wise_ft"),
        None,
        FreezingSchedule.from_phases(
            [Phase(train=("layer.0",), until_fraction=0.5), Phase(train=("*",))]
        ).phases,
        "trains the head in its last phase alone",
    ),
    "ranks": (Average("ema"), Adapter("adalora"), FreezingSchedule.full().phases, "adalora"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_has_no_sense_is_refused_before_training(case: str, texts: Setting) -> None:
    average, adapter, schedule, words = REFUSED[case]
    plan = _plan(texts, average=average, adapter=adapter, schedule=schedule)
    with pytest.raises(TransferError, match=words) as caught:
        explain(plan, train_examples=40)
    assert "wise_ft" not in words or "lp_ft" in caught.value.action
    check_average(None, adapter, schedule)


def test_cost_is_explained() -> None:
    plan = Plan("transfer", "text-classification", "sample:minilm", DataSpec("texts"))
    plan = replace(plan, schedule=LP_FT)
    plain = explain(plan, train_examples=64)
    words = [
        (Average("wise_ft"), "10 passes over the validation rows"),
        (Average("ema"), "a copy of what trains in memory"),
        (Average("soup", {"members": 4}), "4 trainings for each seed"),
    ]
    for average, cost in words:
        told = explain(replace(plan, average=average), train_examples=64)
        (added,) = set(told.findings) - set(plain.findings)
        assert cost in added and average.described in added and told.phases == plain.phases
