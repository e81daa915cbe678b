"""A transfer that learns nothing, judged, with LP-FT trained beside it; made once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import copytree

import pytest

from hf_transfer_plugin import Line, load_config
from hf_transfer_plugin.ladder.rungs import RUNGS, Ground
from tests.tiny_runs import offline_cache, text_checkpoint, write_config, write_text_folder

Opening = Callable[[], Line]


@pytest.fixture(scope="session")
def prepared_line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a folder with config, data, checkpoint and a run in which LP-FT was trained."""
    place = tmp_path_factory.mktemp("ladder")
    before = Path.cwd()
    with pytest.MonkeyPatch.context() as patch:
        offline_cache(patch, place)
        os.chdir(place)
        write_text_folder(place / "texts")
        text_checkpoint(place / "bert")
        write_config(
            place / "config.yaml",
            batch_size=8,
            # A rate of nothing: the transfer stays at chance, as the majority does.
            schedule={"phases": [{"train": ["head"], "rate": 1e-6}]},
            training={"num_train_epochs": 6, "learning_rate": 3e-2},
            controls=["majority"],
            margin=0.0,
            seeds=3,
        )
        line = Line(load_config("config.yaml"))
        assert not line.judge().go
        RUNGS["lp-ft"](Ground(line.plan(), line.data, line.folder / "rescue"))
        os.chdir(before)
        yield place


@pytest.fixture
def open_line(prepared_line: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opening:
    """Return a function that opens a copy of the run, the same one each time."""
    offline_cache(monkeypatch, prepared_line)
    monkeypatch.chdir(prepared_line)
    copytree(prepared_line / "run", tmp_path / "run")
    return lambda: Line.open(tmp_path / "run")
