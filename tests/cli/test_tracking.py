"""`report_to` in a config: event files of TensorBoard in the run folder, legible and numeric."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.cli.conftest import Command


def test_every_training_of_a_run_is_shown(
    workplace: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # as on a terminal
    monkeypatch.setenv("COLUMNS", "200")
    logs = workplace / "run" / "logs"
    stale = logs / "transfer" / "seed-0" / "events.out.tfevents.0.stopped"
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"")
    code, _, err = command(
        "run", "config.yaml", "training.report_to=tensorboard", "training.logging_strategy=steps",
        "training.logging_steps=1", "schedule={name: lp_ft, fraction: 0.4}", "objective=l2sp",
        "control_learning_rates=[1e-3, 1e-2]",
    )  # fmt: skip
    assert code == 0, err
    bars = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", err)
    for text in ("from-scratch, seed 0 (1 of 2), rate 0.01", "transfer, seed 1 (2 of 2)"):
        assert text in bars
    assert "training 1 of 5" in bars and re.search(r"training 5 of 5, about \d+ s left", bars)
    assert not stale.exists(), "what an earlier try left"
    trainings = {file.parent.relative_to(logs).as_posix() for file in logs.rglob("events.*")}
    tried = {f"from-scratch/seed-{seed}-rate-{rate}" for seed, rate in ((0, 0.001), (0, 0.01))}
    assert {"transfer/seed-0", "transfer/seed-1", *tried} < trainings and len(trainings) == 5

    events = EventAccumulator(str(logs / "transfer" / "seed-1")).Reload()
    names = set(events.Tags()["scalars"])
    wanted = {"phase", "trainable_parameters", "trainable_share", "learning_rate", "loss"}
    wanted |= {"rate/embeddings", "rate/head", "objective/loss"}
    assert {f"train/{name}" for name in wanted} <= names, names
    assert any(name.startswith("train/transfer/") for name in names) and "eval/accuracy" in names
    shown = {name: [event.value for event in events.Scalars(name)] for name in names}
    assert all(math.isfinite(value) for values in shown.values() for value in values), shown
    assert [value > 0 for value in shown["train/rate/embeddings"]] == [
        False,
        False,
        True,
        True,
        True,
    ]
    first, *_, last = shown["train/trainable_share"]
    assert 0 < first < 0.5 and last == 1


def test_a_tracker_that_is_not_there(workplace: Path, command: Command) -> None:
    for name, text in (("tensorbord", "did you mean 'tensorboard'"), ("clearml", "pip install")):
        code, _, err = command("run", "config.yaml", f"training.report_to={name}")
        assert code == 2 and "error: training.report_to" in err and text in err, err
    assert not (workplace / "run" / "results").exists()
