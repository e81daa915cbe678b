"""`hf-tl run` with `watch: rescue`: from an alarm down the ladder, also after a kill."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hf_transfer_plugin import Phase, Report, Rescue, RunResult, load_config
from hf_transfer_plugin.ladder.seed_models import SeedModels
from hf_transfer_plugin.train import run, training
from tests.cli.conftest import Command
from tests.tiny_runs import offline_cache, texts, write_config, write_text_folder
from tests.train.settings import calm_text_checkpoint

LEARNS: dict[str, Any] = {"learning_rate": 1e-2, "lr_scheduler_type": "constant"}
#: A head alone that does not move.
HOPELESS = {"phases": [{"train": ["head"], "rate": 1e-6}]}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder with data, checkpoint and the config of a transfer that harms."""
    offline_cache(monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path)
    parts = {"train": texts(30), "validation": texts(15, start=30), "test": texts(15, start=45)}
    write_text_folder(tmp_path / "texts", **parts)
    calm_text_checkpoint(tmp_path / "bert")
    write_config(
        tmp_path / "config.yaml",
        batch_size=8,
        schedule=HOPELESS,
        training=LEARNS | {"num_train_epochs": 5},
        controls=["from-scratch"],
        control_learning_rates=[1e-2],
        margin=0.2,
        watch="rescue",
    )
    return tmp_path


def _timeless(value: Any) -> Any:
    """Return plain values without what is never twice the same."""
    if isinstance(value, Rescue | RunResult):
        value = value.to_json()
    if isinstance(value, dict):
        timed = ("seconds", "cost")
        return {k: _timeless(v) for k, v in value.items() if not any(t in k for t in timed)}
    return [_timeless(each) for each in value] if isinstance(value, list | tuple) else value


def _killed_at(count: int, real: Callable[..., Any]) -> Callable[..., Any]:
    """Return a training that is killed when the transfer begins for this time."""
    begun: list[str] = []

    def train(plan: Any, *rest: Any) -> Any:
        begun.append(plan.name)
        return _kill() if begun.count("transfer") == count else real(plan, *rest)

    return train


def _kill(*_: Any) -> None:
    raise KeyboardInterrupt


def _result(folder: str, plan: str) -> RunResult:
    return RunResult.load(Path(folder) / "results" / f"{plan}.json")


def test_a_transfer_that_harms_is_handed_over(
    place: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = command("run", "config.yaml", "run_folder=whole")
    assert code == 0, err
    assert "handed over to the ladder of rescues: transfer, seeds 0, 1\nrung lp-ft: " in out
    transfer, scratch = _result("whole", "transfer"), _result("whole", "from-scratch")
    assert transfer.handed_over() == (0, 1) and scratch.handed_over() == ()
    for seed, other in zip(transfer.seeds, scratch.seeds, strict=True):
        assert [a.kind for a in seed.alarms][:1] == ["collapse"]
        assert seed.steps == seed.alarms[0].step == 2 * 8 < other.steps
    held = Rescue.load(Path("whole") / "rescue.json")
    assert held.finished and held.accepted is not None
    assert held.accepted.name == "lp-ft" and not held.harm.go
    report = Report.load(Path("whole") / "report.json")
    assert report.rescue == held and report.results[0] == transfer
    page = (Path("whole") / "report.html").read_text()
    assert "(collapse, rescue): one class predicted" in page and "LP-FT" in page
    assert "## Rescue" in (Path("whole") / "README.md").read_text()

    # The same once more, killed while its second seed trains, and before the test is read.
    with monkeypatch.context() as patch:
        patch.setattr(training, "train_once", _killed_at(2, training.train_once))
        assert command("run", "config.yaml")[0] == 130
    assert [each.seed for each in _result("run", "transfer").seeds] == [0]
    with monkeypatch.context() as patch:
        patch.setattr(SeedModels, "answered", _kill)
        assert command("run", "config.yaml")[0] == 130
    left = Rescue.load(Path("run") / "rescue.json")
    assert left.accepted is not None and not left.finished
    assert command("run", "config.yaml")[0] == 0
    assert _timeless(Rescue.load(Path("run") / "rescue.json")) == _timeless(held)
    for name in ("transfer", "from-scratch", "rescued"):
        assert _timeless(_result("run", name)) == _timeless(_result("whole", name))
    for name in ("model", "rescued"):
        one, other = (Path(f, name, "model.safetensors").read_bytes() for f in ("whole", "run"))
        assert one == other, name


def test_a_transfer_is_held_against_its_control(place: Path, command: Command) -> None:
    assert command("run", "config.yaml", "watch=warn")[0] == 0
    for seed in _result("run", "transfer").seeds:
        raised = {alarm.kind: alarm for alarm in seed.alarms}
        assert set(raised) == {"collapse", "below_control"}
        assert raised["below_control"].step == 4 * 8, "two in a row, from half of five epochs on"
        assert raised["below_control"].expected > 0.2 + raised["below_control"].value
    assert "(below control, warn): best validation accuracy" in Path("run/report.html").read_text()


def test_alarms_and_a_go_all_the_same(place: Path, command: Command) -> None:
    code, out, err = command("run", "config.yaml", "controls=majority", "margin=0.6")
    assert code == 0, err
    assert "the watch sees collapses and broken gradients alone" in err
    assert "handed over to the ladder of rescues: transfer, seeds 0, 1\n" in out
    assert "go at margin 0.6\nnothing to rescue: the transfer is a go\n" in out
    assert {a.kind for seed in _result("run", "transfer").seeds for a in seed.alarms} == {
        "collapse"
    }


def test_a_transfer_that_helps_is_left_alone(place: Path, command: Command) -> None:
    """Its source was trained on texts of the same two classes."""
    plan = load_config("config.yaml").plan(None)  # type: ignore[arg-type]
    source = replace(plan, weights="random", schedule=(Phase(train=("*",)),), seeds=(1,))
    run(source, model_dir="source")
    for watch, names in (("warn", "[from-scratch, frozen-probe]"), ("off", "majority")):
        words = ["checkpoint=./source", "schedule={name: full}", f"run_folder=run-{watch}"]
        words += [f"watch={watch}", f"controls={names}"]
        words += ["training.learning_rate=1e-3", "training.num_train_epochs=4"]
        code, out, err = command("run", "config.yaml", *words)
        assert code == 0 and "handed over" not in out, err
    watched, alone = _result("run-warn", "transfer"), _result("run-off", "transfer")
    assert watched.scores() == (1.0, 1.0)
    assert [seed.alarms for seed in watched.seeds] == [(), ()]
    for one, other in zip(watched.seeds, alone.seeds, strict=True):
        assert one.confidences == other.confidences and one.curve == other.curve
    weights = [Path(f"run-{w}", "model", "model.safetensors").read_bytes() for w in ("warn", "off")]
    assert weights[0] == weights[1]
