"""Records: strict JSON there and back, written whole or not at all."""

from __future__ import annotations

import json
import math
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hf_transfer_plugin.errors import RecordError
from hf_transfer_plugin.records import CurvePoint, DataSpec, Phase, Plan, Report, Verdict
from hf_transfer_plugin.serialization import write_atomic
from tests.hub_models import make_report

PLAN = Plan("transfer", "text-classification", "org/bert", DataSpec("org/data"))


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_there_and_back() -> None:
    report = make_report()
    again = Report.load(report.save("report.json"))
    # Its verdict holds means that are unknown, and no NaN equals another.
    assert again.to_json() == report.to_json()
    assert again.results == report.results
    changed = {"schedule": (Phase(("head",), until_fraction=0.3),), "learning_rates": (1e-3,)}
    plan = Plan(
        "a", "text-classification", "b", DataSpec("c"), training={"x": [1, None]}, **changed
    )  # type: ignore[arg-type]
    assert Plan.load(plan.save("plan.json")) == plan


def test_a_list_of_numbers_is_one_line() -> None:
    hard = {
        "x": [1.5, None, True],
        "[": ["[\n1\n]", "2,\n3"],
        "empty": [],
        "nested": [[1], {"a": 2}],
    }
    plan = replace(PLAN, training=hard, seeds=tuple(range(500)), learning_rates=(1e-3, 5e-05))
    text = plan.save("plan.json").read_text()
    assert json.loads(text) == plan.to_json() and Plan.load("plan.json") == plan
    lines = [line.strip() for line in text.splitlines()]
    assert f'"seeds": {list(range(500))},' in lines and '"learning_rates": [0.001, 5e-05],' in lines
    assert '"x": [1.5, null, true],' in lines


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_are_null(value: float) -> None:
    path = CurvePoint(1, 1.0, value, 0.5, 0.5).save("point.json")
    assert json.loads(path.read_text())["train_loss"] is None
    assert math.isnan(CurvePoint.load(path).train_loss)
    unknown = Verdict("helped", True, 0.1, 0.05, 0.2, 0.01, 0.95, 5, "control").to_json()
    assert unknown["transfer_mean"] is None and unknown["item_interval"] is None


# name -> (changes of a plan's JSON, what must be said)
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "unknown field": ({"colour": "red"}, "colour"),
    "text for a whole number": ({"batch_size": "32"}, "batch_size: expected a whole number, got '"),
    "fraction for a whole number": ({"batch_size": 1.5}, "expected a whole number, got 1.5"),
    "truth for a whole number": ({"batch_size": True}, "expected a whole number, got True"),
    "number for a text": ({"name": 3}, "name: expected a text, got 3"),
    "number for a truth": ({"trust_remote_code": 1}, "expected true or false, got 1"),
    "text for a number": (
        {"learning_rates": ["x"]},
        "learning_rates[0]: expected a number, got 'x'",
    ),
    "another choice": ({"weights": "new"}, "weights: expected 'pretrained' or 'random', got 'new'"),
    "text for a record": ({"data": "org/data"}, "data: expected a mapping, got str"),
    "number for a list": ({"seeds": 3}, "seeds: expected a list, got int"),
    "number for a mapping": ({"training": 3}, "training: expected a mapping, got int"),
    "nested": ({"data": {"path": "a", "seed": "zero"}}, "data.seed: expected a whole number, got"),
    "in a list": (
        {"schedule": [{"train": ["*"], "rate": "x"}]},
        "schedule[0].rate: expected a num",
    ),
    "missing": ({"data": {}}, "data.path: required field missing"),
}


def test_the_table_is_whole() -> None:
    assert len(WRONG) == 14


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_fit_is_named(name: str) -> None:
    changes, said = WRONG[name]
    Path("plan.json").write_text(json.dumps(PLAN.to_json() | changes))
    with pytest.raises(RecordError) as caught:
        Plan.load("plan.json")
    assert said in str(caught.value) and "plan.json is no Plan" in str(caught.value)


def test_every_problem_is_named_at_once() -> None:
    with pytest.raises(RecordError) as caught:
        Plan.from_json(PLAN.to_json() | {"colour": "red", "batch_size": "x", "name": 3})
    assert all(name in str(caught.value) for name in ("colour", "batch_size", "name"))


@pytest.mark.parametrize(("content", "said"), [(None, "cannot read"), ("{", "is no JSON")])
def test_files_that_are_missing_or_damaged(content: str | None, said: str) -> None:
    if content is not None:
        Path("plan.json").write_text(content)
    with pytest.raises(RecordError, match=said):
        Plan.load("plan.json")


def test_a_failed_write_leaves_what_was_there(monkeypatch: pytest.MonkeyPatch) -> None:
    write_atomic("folder/file.json", "old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(RecordError, match="No space left"):
        write_atomic("folder/file.json", "new")
    assert [file.name for file in Path("folder").iterdir()] == ["file.json"]
    assert Path("folder/file.json").read_text() == "old"


def test_a_write_that_is_stopped_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        write_atomic("folder/file.json", "new")
    assert not [*Path("folder").iterdir()]


def test_written_files_can_be_read_by_others() -> None:
    assert write_atomic("file.json", "{}").stat().st_mode & 0o777 == 0o644
    assert write_atomic("file.bin", b"\x00\xff").read_bytes() == b"\x00\xff"
