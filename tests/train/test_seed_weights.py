"""Weights of every seed, those of the start of the last phase, and runs without a test split."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from hf_transfer_plugin import FreezingSchedule, Plan, RunResult, run
from hf_transfer_plugin.checkpoints import Checkpoint
from hf_transfer_plugin.data import prepare
from hf_transfer_plugin.train import preparing, training
from hf_transfer_plugin.train.answers import answer
from tests.train.settings import Setting

SETTINGS = ("texts", "images")


def _plan(setting: Setting) -> Plan:
    return setting.plan(schedule=FreezingSchedule.lp_ft(0.5).phases)


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


@pytest.mark.parametrize("name", SETTINGS)
def test_every_seed_answers_as_its_trainer_did(
    name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    setting: Setting = request.getfixturevalue(name)
    result = run(_plan(setting), seeds_dir=tmp_path / "kept", data=setting.data)
    prepared = prepare(Checkpoint(str(setting.checkpoint)), setting.data, ("test",))
    for each in result.seeds:
        kept = Checkpoint(str(tmp_path / "kept" / f"seed-{each.seed}"))
        model = kept.classifier(setting.task, setting.data.class_names)
        found = answer(model, prepared, "test")
        assert found.predictions == each.predictions and found.metrics == each.test
        assert found.confidences == pytest.approx(each.confidences, abs=1e-5)


@pytest.mark.parametrize("name", SETTINGS)
def test_the_last_phase_begins_with_pretrained_weights_under_a_trained_head(
    name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    setting: Setting = request.getfixturevalue(name)
    run(_plan(setting), seeds_dir=tmp_path, test=False, data=setting.data)
    for seed in (0, 1):
        start, end = (_weights(tmp_path / f"seed-{seed}{suffix}") for suffix in ("-start", ""))
        before = _weights(setting.checkpoint)
        moved = {key for key in start if not torch.equal(start[key], before[key])}
        assert moved and all(key.startswith(("classifier", "bert.pooler")) for key in moved), moved
        assert {key.partition(".")[0] for key in end if not torch.equal(start[key], end[key])} > {
            "classifier"
        }


def test_a_run_without_test_reads_none_of_it(
    texts: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "result.json"
    asked: list[tuple[str, ...]] = []
    real = preparing.prepare_data
    monkeypatch.setattr(
        preparing, "prepare_data", lambda *given: (asked.append(given[2]), real(*given))[1]
    )
    untested = run(texts.plan(), results=file, test=False, data=texts.data)
    assert asked == [("train", "validation")]
    assert RunResult.load(file) == untested and untested.labels == ()
    assert all(not each.test and not each.predictions for each in untested.seeds)
    tested = run(texts.plan(), results=file, data=texts.data)
    assert asked[1:] == [("train", "validation", "test")], "a result without test is no test"
    assert [each.validation for each in tested.seeds] == [e.validation for e in untested.seeds]


def test_it_goes_on_only_with_the_weights_that_were_asked_for(
    texts: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = {"results": tmp_path / "result.json", "seeds_dir": tmp_path / "kept"}
    done = run(texts.plan(), **keys, data=texts.data)  # type: ignore[arg-type]
    with monkeypatch.context() as patch:
        patch.setattr(training, "train_once", None)
        assert run(texts.plan(), **keys, data=texts.data) == done  # type: ignore[arg-type]
    shutil.rmtree(tmp_path / "kept" / "seed-1-start")
    again = run(texts.plan(), **keys, data=texts.data)  # type: ignore[arg-type]
    assert again.scores() == done.scores()
    assert (tmp_path / "kept" / "seed-1-start" / "config.json").is_file()
