"""A workplace with tiny texts, a checkpoint and a config, and the command line in this process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hf_transfer_plugin.cli import main
from tests.tiny_runs import offline_cache, text_checkpoint, write_config, write_text_folder

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder with data, checkpoint and config.yaml."""
    offline_cache(monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path)
    write_text_folder(tmp_path / "texts")
    text_checkpoint(tmp_path / "bert")
    write_config(
        tmp_path / "config.yaml",
        title="Tiny texts",
        batch_size=8,
        controls=["from-scratch", "majority"],
        control_learning_rates=[1e-3],
    )
    return tmp_path


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Return a function (words) -> (exit code, standard output, standard error)."""
    # Rich wraps tables at the width of the terminal.
    monkeypatch.setenv("COLUMNS", "160")

    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["hf-tl", *words])
        with pytest.raises(SystemExit) as stopped:
            main()
        said = capsys.readouterr()
        code = stopped.value.code
        assert code is None or isinstance(code, int)
        return code or 0, said.out, said.err

    return call
