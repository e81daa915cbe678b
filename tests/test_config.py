"""Configs, overrides and records: strict, and free of YAML's traps."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

from hf_transfer_plugin import DataSpec, Plan, Verdict, load_config
from hf_transfer_plugin.errors import ConfigError, RecordError
from hf_transfer_plugin.serialization import write_atomic
from tests.tiny_runs import text_checkpoint, write_config, write_text_folder


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_overrides() -> None:
    path = write_config(Path("config.yaml"), seeds=3)
    assert load_config(path).seeds == (0, 1, 2)
    changed = load_config(
        path,
        [
            "seeds=[4, 5]",
            "training.learning_rate=5e-4",
            "data.max_length=7",
            "controls=majority",
            "learning_rates=[1e-3, 2e-3]",
        ],
    )
    assert changed.seeds == (4, 5)
    assert changed.training == {"num_train_epochs": 1, "learning_rate": 0.0005}
    assert (changed.data.path, changed.data.max_length) == ("texts", 7)
    assert changed.controls == ("majority",)
    assert changed.learning_rates == (0.001, 0.002)


def test_local_paths_never_pass_for_hub_names() -> None:
    write_text_folder(Path("my/texts"))
    text_checkpoint(Path("my/bert"))
    path = write_config(Path("config.yaml"), data="my/texts", checkpoint="my/bert")
    config = load_config(path)
    assert (config.data.path, config.checkpoint) == ("./my/texts", "./my/bert")


def test_recipes_take_their_own_task_alone() -> None:
    path = write_config(Path("config.yaml"))
    with pytest.raises(ConfigError, match="expected: task image-classification"):
        load_config(path, task="image-classification")


def test_numbers_that_are_not_finite_are_null() -> None:
    verdict = Verdict("helped", True, 0.1, 0.05, 0.2, 0.01, 0.95, 5, "control")
    written = verdict.save("verdict.json").read_text()
    assert '"transfer_mean": null' in written
    assert math.isnan(Verdict.load("verdict.json").transfer_mean)


def test_records_say_which_field_is_wrong() -> None:
    data = Plan("transfer", "text-classification", "c", DataSpec("d")).to_json()
    data["data"]["seed"] = "zero"
    data["colour"] = "red"
    with pytest.raises(RecordError, match="colour") as caught:
        Plan.from_json(data)
    assert "expected int, got 'zero' @ $.data.seed" in str(caught.value)


def test_a_failed_write_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    write_atomic("file.json", "old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(RecordError, match="No space left"):
        write_atomic("file.json", "new")
    assert [file.name for file in Path().iterdir()] == ["file.json"]
    assert Path("file.json").read_text() == "old"
