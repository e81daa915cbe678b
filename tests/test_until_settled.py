"""One more seed at a time: where it stops, what it leaves, and going on after a stop."""

from __future__ import annotations

from pathlib import Path

import pytest

from hf_transfer_plugin import Line, Plan, Report, Verdict, load_config
from hf_transfer_plugin.errors import ConfigError
from hf_transfer_plugin.look_records import Looks
from hf_transfer_plugin.until_settled import judge_until_settled
from tests.stopped_runs import record_trainings, stored_seeds
from tests.tiny_runs import offline_cache, text_checkpoint, write_config, write_text_folder

CONFIG = "config.yaml"


@pytest.fixture(autouse=True)
def _tiny_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offline_cache(monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path)
    write_text_folder(tmp_path / "texts")
    text_checkpoint(tmp_path / "bert")
    # Both are right on half of the test split: equivalent once the seeds say anything at all.
    write_config(
        tmp_path / CONFIG,
        batch_size=8,
        training={"max_steps": 2},
        controls=["majority"],
        margin=0.49,
    )


def test_it_stops_when_settled_and_later_reports_know_all_seeds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[Verdict] = []
    calls = record_trainings(monkeypatch)
    verdict = judge_until_settled(Line(load_config(CONFIG)), 9, seen.append)
    # Two seeds, and three, say nothing at 95 %.
    assert [each.outcome for each in seen] == ["inconclusive", "inconclusive", "equivalent"]
    assert (verdict.outcome, verdict.seeds, verdict.sequential) == ("equivalent", 4, True)
    assert _seeds(calls) == stored_seeds("transfer") == stored_seeds("majority") == [0, 1, 2, 3]
    assert Verdict.load(Path("run") / Verdict.file_name) == verdict
    assert Plan.load(Path("run") / Plan.file_name).seeds == (0, 1, 2, 3)
    looks = Looks.load(Path("run") / Looks.file_name)
    assert (looks.planned, [each.seeds for each in looks.looks]) == ((0, 1), [2, 3, 4])

    for line in (Line.open("run"), Line(load_config(CONFIG))):
        assert line.judge() == verdict
    Line(load_config(CONFIG)).report()
    report = Report.load(Path("run") / Report.file_name)
    assert [len(each.seeds) for each in report.results] == [4, 4]
    assert report.verdict.sequential
    assert judge_until_settled(Line.open("run"), 4) == verdict
    assert _seeds(calls) == [0, 1, 2, 3]


def test_it_stops_at_the_most_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = record_trainings(monkeypatch)
    line = Line(load_config(CONFIG))
    verdict = judge_until_settled(line, 3)
    assert (verdict.outcome, verdict.seeds, _seeds(calls)) == ("inconclusive", 3, [0, 1, 2])
    with pytest.raises(ConfigError, match="at most 2 seeds for a plan with 3"):
        judge_until_settled(line, 2)


@pytest.mark.parametrize("opened", [False, True])
def test_it_goes_on_after_a_stop(opened: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = judge_until_settled(Line(load_config(CONFIG, ["run_folder=whole"])), 9)
    calls = record_trainings(monkeypatch, stop_at=4)
    with pytest.raises(KeyboardInterrupt):
        judge_until_settled(Line(load_config(CONFIG)), 9)
    assert (stored_seeds("transfer"), stored_seeds("majority")) == ([0, 1, 2], [0, 1, 2, 3])
    line = Line.open("run") if opened else Line(load_config(CONFIG))
    assert judge_until_settled(line, 9) == whole
    assert _seeds(calls) == [0, 1, 2, 3, 3]
    assert [each.seeds for each in Looks.load("run/looks.json").looks] == [2, 3, 4]


def test_another_plan_is_judged_plainly() -> None:
    judge_until_settled(Line(load_config(CONFIG)), 2)
    other = Line(load_config(CONFIG, ["training.learning_rate=1e-3"]))
    assert other.looks() is None and other.plan().seeds == (0, 1)
    assert not other.judge().sequential
    more = Line(load_config(CONFIG, ["seeds=3"]))
    assert more.plan().seeds == (0, 1, 2) and more.judge().sequential


def _seeds(calls: list[tuple[str, int]]) -> list[int]:
    assert {name for name, _ in calls} == {"transfer"}
    return [seed for _, seed in calls]
