"""The ladder: where it stops, what it reads and writes, and that it goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from hf_transfer_plugin import Line, Report, Rescue, RunResult, load_config, rescue
from hf_transfer_plugin.decide.gate import Gate
from hf_transfer_plugin.ladder import climbing
from hf_transfer_plugin.ladder.seed_models import SeedModels
from hf_transfer_plugin.train import training
from tests.ladder.conftest import Opening

ORDER = ["lp-ft", "wise-ft", "greedy-soup", "adapter-only", "frozen-probe", "return-control"]


def _reject(patch: pytest.MonkeyPatch, count: int) -> None:
    """Let the gate reject as many rungs, and accept the next."""
    seen: list[Sequence[float]] = []

    def planted(rung: Sequence[float], *_: Any, **__: Any) -> Gate:
        seen.append(rung)
        return Gate(0.0, -0.1, 0.1, len(seen) > count)

    patch.setattr(climbing, "gate", planted)


def _predictions(folder: Path, line: Line) -> tuple[int, ...]:
    """Return what the written model answers on the test split, with transformers alone."""
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    batch = AutoTokenizer.from_pretrained(folder)(
        list(line.data.splits["test"]["text"]), padding=True, return_tensors="pt"
    )
    with torch.no_grad():
        return tuple(model(**batch).logits.argmax(-1).tolist())


def test_it_stops_at_the_first_rung_that_validation_accepts(open_line: Opening) -> None:
    line = open_line()
    found = rescue(line)
    (rung,) = found.rungs
    assert rung.name == "lp-ft" and rung.accepted and rung.lower > 0.0
    assert found.control_validation == (0.5, 0.5, 0.5)
    assert rung.difference == pytest.approx(rung.mean - 0.5)
    assert found.finished and found.verdict is not None
    assert found.verdict.difference > 0.0 and found.verdict.baseline == "majority"
    assert Rescue.load(line.folder / "rescue.json") == found
    assert not (line.folder / "rescue").exists(), "weights of seeds are not left behind"
    assert rescue(open_line()) == found
    line.report()
    report = Report.load(line.folder / "report.json")
    assert report.rescue == found
    assert "LP-FT (rate 0.03)" in (line.folder / "report.html").read_text()
    assert "## Rescue" in (line.folder / "README.md").read_text()


@pytest.mark.parametrize(("rejected", "rungs"), [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)])
def test_the_written_model_gives_the_predictions_of_the_record(
    rejected: int, rungs: int, open_line: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    _reject(monkeypatch, rejected)
    line = open_line()
    found = rescue(line)
    assert [each.name for each in found.rungs] == ORDER[:rungs]
    assert [each.accepted for each in found.rungs] == [False] * (rungs - 1) + [True]
    result = RunResult.load(line.folder / "results" / "rescued.json")
    assert result.plan.name == ORDER[rungs - 1] and result.labels == line.data.labels("test")
    kept = {each.seed: each.predictions for each in result.seeds}
    assert _predictions(line.folder / "rescued", line) == kept[found.kept_seed or 0]
    assert len(set(kept.values())) == 1 or rungs != 3, "a soup is one model"
    assert found.verdict is not None
    assert found.verdict.transfer_mean == pytest.approx(sum(result.scores()) / 3)


def test_when_nothing_is_accepted_the_control_is_returned(
    open_line: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    _reject(monkeypatch, 99)
    line = open_line()
    found = rescue(line)
    assert [each.name for each in found.rungs] == ORDER
    assert len(found.rungs[3].validation) == 3 and found.rungs[3].why.startswith("lower end")
    assert (found.rungs[-1].difference, found.verdict, found.kept_seed) == (0.0, None, None)
    assert not (line.folder / "rescued").exists(), "the majority has no weights"


def test_the_test_split_is_read_once_a_rung_is_accepted_and_written(
    open_line: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    _reject(monkeypatch, 2)
    line = open_line()
    line.judge()
    read: list[str] = []
    real: Callable[..., Any] = SeedModels.answers

    def watch(models: SeedModels, weights: Any, role: str) -> Any:
        if role == "test":
            held = Rescue.load(line.folder / "rescue.json")
            assert held.accepted is not None and held.accepted.name == "greedy-soup"
            assert (line.folder / "rescued" / "config.json").is_file()
        read.append(role)
        return real(models, weights, role)

    def refuse(*given: Any) -> None:
        raise AssertionError(f"trained {given[0].name}")

    monkeypatch.setattr(SeedModels, "answers", watch)
    monkeypatch.setattr(training, "train_once", refuse)
    rescue(line)
    assert read.index("test") == len(read) - 1 and len(read) > 27


@pytest.mark.parametrize("rungs", [1, 2])
def test_a_killed_ladder_goes_on(
    rungs: int, open_line: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def stop(rung: Any) -> None:
        seen.append(rung.name)
        if len(seen) == rungs:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        _reject(patch, 2)
        with pytest.raises(KeyboardInterrupt):
            rescue(open_line(), stop)
    held = Rescue.load(open_line().folder / "rescue.json")
    assert len(held.rungs) == rungs and not held.finished
    _reject(monkeypatch, 2 - rungs)
    found = rescue(open_line(), lambda rung: seen.append(rung.name))
    assert seen == ORDER[:3] and found.rungs[:rungs] == held.rungs
    assert found.accepted is not None and found.accepted.name == "greedy-soup"


def test_one_that_was_killed_before_its_test_reads_it_then(
    open_line: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        _reject(patch, 1)
        patch.setattr(SeedModels, "answered", stop)
        with pytest.raises(KeyboardInterrupt):
            rescue(open_line())
    held = Rescue.load(open_line().folder / "rescue.json")
    assert held.accepted is not None and held.verdict is None
    found = rescue(open_line())
    assert found.rungs == held.rungs and found.verdict is not None and found.finished


def test_a_go_has_no_ladder_and_another_verdict_another_one(open_line: Opening) -> None:
    line = open_line()
    replace(line.config, margin=0.99).save(line.folder / "config.json")
    found = rescue(open_line())
    assert found.harm.go and found.finished and found.rungs == () and found.accepted is None
    replace(line.config, margin=0.0).save(line.folder / "config.json")
    line = open_line()
    assert line.rescued(line.judge()) is None
    assert len(rescue(open_line()).rungs) == 1


def test_a_control_with_weights_is_written(
    open_line: Opening, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(climbing, "RUNGS", {})
    changes = ["controls=from-scratch", "control_learning_rates=[3e-3]", "seeds=2"]
    changes += ["training.num_train_epochs=3", f"run_folder={tmp_path / 'scratch'}"]
    line = Line(load_config("config.yaml", changes))
    found = rescue(line)
    control = RunResult.load(line.folder / "results" / "from-scratch.json")
    assert found.kept_seed == control.best_seed and found.verdict is None
    best = next(each for each in control.seeds if each.seed == control.best_seed)
    assert _predictions(line.folder / "rescued", line) == best.predictions
