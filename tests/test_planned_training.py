"""Planned looks over a whole line: who trains how far, going on after a stop, what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hf_transfer_plugin import Line, Report, RunConfig, RunResult, Verdict, load_config
from hf_transfer_plugin.errors import ConfigError
from hf_transfer_plugin.look_records import Looks
from hf_transfer_plugin.planned_training import train_to_looks
from hf_transfer_plugin.records import DataSpec, Plan
from hf_transfer_plugin.until_settled import judge_until_settled
from tests.decide.results import result
from tests.decide.test_look_verdicts import NOISY, SAME, TRANSFER, WORSE
from tests.stopped_runs import record_trainings, stored_seeds
from tests.tiny_runs import offline_cache, text_checkpoint, write_config, write_text_folder

CONFIG = "config.yaml"
LABELS = tuple(i % 3 for i in range(2000))


def _train_to_looks(
    scores: dict[str, Sequence[float]], held: int = 0, **keys: Any
) -> tuple[list[tuple[str, int]], tuple[RunResult, ...]]:
    """Run the looks over results that are known beforehand; return who trained how far."""
    whole = {
        name: result(name, values, labels=LABELS, draw=draw)
        for draw, (name, values) in enumerate(scores.items())
    }
    whole |= {
        name: replace(whole[name], plan=replace(whole[name].plan, checkpoint=f"baseline:{name}"))
        for name in whole.keys() & {"majority", "tfidf-logistic"}
    }
    plans = [replace(each.plan, seeds=tuple(range(10))) for each in whole.values()]
    config = RunConfig("text-classification", DataSpec("data"), "run", margin=0.0, **keys)
    trained: list[tuple[str, int]] = []

    def train(plan: Plan, seeds: int, against: Sequence[RunResult]) -> RunResult:
        dear = [name for name in scores if name not in ("transfer", "majority", "tfidf-logistic")]
        assert [each.plan.name for each in against] == (dear if plan.name == "transfer" else [])
        trained.append((plan.name, max(seeds, held)))
        return replace(whole[plan.name], seeds=whole[plan.name].seeds[: max(seeds, held)])

    return trained, train_to_looks(plans, config, train)


# name -> (scores of the controls, further keys, seeds of transfer and each control)
SERIES: dict[str, tuple[dict[str, Sequence[float]], dict[str, Any], list[int]]] = {
    "settled at once": ({"from-scratch": WORSE}, {}, [3, 3]),
    "futile at once": ({"from-scratch": SAME}, {}, [3, 3]),
    "one goes on alone": ({"from-scratch": NOISY, "frozen-probe": WORSE}, {}, [10, 10, 3]),
    "a cheap one goes along": ({"from-scratch": NOISY, "majority": WORSE}, {}, [10, 10, 10]),
    "for a cheap one": ({"from-scratch": WORSE, "majority": NOISY}, {}, [10, 3, 10]),
    "over budget": ({"from-scratch": NOISY}, {"control_budget_minutes": 4 / 60}, [3, 3]),
    "over budget later": ({"from-scratch": NOISY}, {"control_budget_minutes": 9 / 60}, [5, 5]),
    "two looks": ({"from-scratch": NOISY}, {"looks": (4, 10)}, [10, 10]),
}


@pytest.mark.parametrize("name", SERIES)
def test_who_trains_how_far(name: str) -> None:
    controls, keys, wanted = SERIES[name]
    keys = {"looks": (3, 5, 10), **keys}
    trained, results = _train_to_looks({"transfer": TRANSFER, **controls}, **keys)
    assert [len(each.seeds) for each in results] == wanted
    assert len(trained) == len(set(trained))
    most = {each.plan.name: len(each.seeds) for each in results}
    assert {plan: max(n for p, n in trained if p == plan) for plan in most} == most
    # Where seeds are there already, from a run that was killed, they are taken.
    _, again = _train_to_looks({"transfer": TRANSFER, **controls}, held=4, **keys)
    assert [len(each.seeds) for each in again] == [max(4, seeds) for seeds in wanted]


def test_a_plan_that_was_cut_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"plan 'transfer' with 10 seeds for looks at \[3, 12\]"):
        _train_to_looks({"transfer": TRANSFER, "from-scratch": SAME}, looks=(3, 12))


@pytest.fixture
def texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offline_cache(monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path)
    write_text_folder(tmp_path / "texts")
    text_checkpoint(tmp_path / "bert")
    # Both are right on half of the 20 test examples. At the level of the first of two looks the
    # bootstrap over them reaches 0.6, at that of the second 0.5.
    write_config(
        tmp_path / CONFIG,
        batch_size=8,
        training={"max_steps": 2},
        controls=["majority"],
        margin=0.55,
        seeds=None,
        looks=[2, 4],
    )


@pytest.mark.usefixtures("texts")
def test_a_line_that_was_killed_goes_on_to_the_same_verdict(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = Line(load_config(CONFIG, ["run_folder=whole"])).judge()
    assert whole.stop is not None and whole.outcome == "equivalent"
    assert (whole.stop.reason, whole.stop.seeds, whole.seeds) == ("settled", 4, 4)
    calls = record_trainings(monkeypatch, stop_at=4)
    with pytest.raises(KeyboardInterrupt):
        Line(load_config(CONFIG)).judge()
    assert (stored_seeds("transfer"), stored_seeds("majority")) == ([0, 1, 2], [0, 1])
    assert Line(load_config(CONFIG)).judge() == whole
    assert Line.open("run").judge() == whole == Verdict.load("run/verdict.json")
    assert _seeds(calls) == [0, 1, 2, 3, 3]
    looks = Looks.load("run/looks.json")
    assert (looks.at, [(e.seeds, e.stop) for e in looks.looks]) == (
        (2, 4),
        [(2, ""), (4, "settled")],
    )

    Line.open("run").report()
    report = Report.load("run/report.json")
    assert report.verdict == whole and [len(each.seeds) for each in report.results] == [4, 4]
    sentence = "stopped at the look at 4 of at most 4 paired seeds: settled"
    for file in ("report.html", "README.md"):
        assert sentence in (Path("run") / file).read_text(), file


@pytest.mark.usefixtures("texts")
def test_looks_are_not_changed_by_what_was_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = record_trainings(monkeypatch)
    line = Line(load_config(CONFIG, ["margin=0.3"]))
    verdict = line.judge()
    assert verdict.stop is not None and (verdict.stop.reason, _seeds(calls)) == ("futile", [0, 1])
    with pytest.raises(ConfigError, match=r"one of both"):
        judge_until_settled(line)
    for override in (["looks=[2,3,4]"], ["looks=[2,3]"], ["looks=[]", "seeds=4"]):
        with pytest.raises(ConfigError, match=r"where one looked at \[2, 4\]"):
            Line(load_config(CONFIG, override)).judge()
    other = load_config(CONFIG, ["looks=[]", "seeds=2", "run_folder=other"])
    judge_until_settled(Line(other), 2)
    with pytest.raises(ConfigError, match="where one looked after every seed"):
        Line(load_config(CONFIG, ["run_folder=other"])).judge()
    assert _seeds(calls) == [0, 1, 0, 1]


def _seeds(calls: list[tuple[str, int]]) -> list[int]:
    assert {name for name, _ in calls} == {"transfer"}
    return [seed for _, seed in calls]
