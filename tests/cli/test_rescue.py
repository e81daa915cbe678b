"""`hf-tl rescue`: what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from hf_transfer_plugin.ladder import climbing
from tests.cli.conftest import Command


def test_a_ladder_is_shown(
    workplace: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(climbing, "RUNGS", {"lp-ft": climbing.RUNGS["lp-ft"]})
    words = ("rescue", "config.yaml", "controls=from-scratch", "training.max_steps=2")
    code, out, err = command(*words, "schedule={name: lp_ft, fraction: 0.5}", "margin=0")
    assert code == 0, err
    lines = out.splitlines()
    assert "rung lp-ft: skipped: the transfer is LP-FT already" in lines
    assert any(line.startswith("rung return-control: validation 0.") for line in lines)
    assert "returned: return-control" in lines and "model   run/rescued" in lines
    assert lines[-1] == "report  run/report.html"
    assert (workplace / "run" / "rescued" / "model.safetensors").is_file()
    code, again, err = command("rescue", "run")
    assert code == 0 and "rung " not in again and "returned: return-control" in again


def test_a_go_needs_none(workplace: Path, command: Command) -> None:
    words = ("rescue", "config.yaml", "controls=majority", "training.max_steps=2", "margin=0.99")
    code, out, err = command(*words)
    assert code == 0, err
    assert "nothing to rescue: the transfer is a go" in out
    assert not (workplace / "run" / "rescued").exists()
