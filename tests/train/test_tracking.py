"""Where the event files of TensorBoard go."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import Trainer, TrainingArguments
from transformers.integrations.integration_utils import TensorBoardCallback

from hf_transfer_plugin.train.tracking import place_logs
from tests.callbacks.tiny import bert


@pytest.mark.parametrize("chosen", [False, True])
def test_a_folder_that_others_may_log_into_is_left_as_it_is(
    chosen: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if chosen:
        monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", str(tmp_path / "shared"))
    place = tmp_path / ("shared" if chosen else "own") / "transfer" / "seed-0"
    place.mkdir(parents=True)
    (place / "events.of.another.run").touch()
    args = TrainingArguments(str(tmp_path / "out"), report_to="tensorboard", use_cpu=True)
    trainer = Trainer(bert(), args)
    place_logs(trainer, tmp_path / "own", "transfer/seed-0")
    (callback,) = (
        each for each in trainer.callback_handler.callbacks if isinstance(each, TensorBoardCallback)
    )
    assert callback.logging_dir == str(place)
    assert (place / "events.of.another.run").exists() is chosen
