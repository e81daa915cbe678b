"""`hf-tl profile`: what it prints and writes, and that it is not done again without need."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from hf_transfer_plugin import LayerProfile, Plan, line_scoring, load_config
from tests.cli.conftest import Command

CHEAP = ("--score", "knn_accuracy")


def test_it_prints_and_writes(workplace: Path, command: Command) -> None:
    code, out, err = command("profile", "config.yaml", "rank_examples=30", *CHEAP)
    assert code == 0, err
    for text in ("Layers of ./bert", "knn_accuracy", "30 training examples; ± 95%"):
        assert text in out, text
    for layer in ("embeddings", "layer.0", "layer.1", "neck"):
        (row,) = (text for text in out.splitlines() if text.startswith(f"│ {layer} "))
        assert row.count("±") == 2 and " 32 " in row
    assert "suggestion: " in out and "schedule: {phases: [{train: [" in out
    assert "- cannot be told from " in out or "- every other layer is below " in out
    assert "written: run/layer_profile.json, run/layer_profile.png" in out
    run = workplace / "run"
    assert {file.name for file in run.iterdir()} == {
        *("config.json", "data.json", "layer_profile.json", "layer_profile.png")
    }
    with Image.open(run / "layer_profile.png") as picture:
        assert picture.format == "PNG" and picture.width == 1200
    pasted = next(text for text in out.splitlines() if text.startswith("schedule: "))
    path = workplace / "config.yaml"
    path.write_text(f"{path.read_text()}\n{pasted}\n")
    config = load_config(path)
    assert config.schedule == LayerProfile.load(run / "layer_profile.json").schedule


def test_it_is_done_once(
    workplace: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[tuple[str, str]] = []
    own = line_scoring.layer_profile

    def counted(checkpoint: str, *args: Any, **options: Any) -> LayerProfile:
        done.append((checkpoint, options["score"]))
        return own(checkpoint, *args, **{**options, "score": "knn_accuracy"})

    monkeypatch.setattr(line_scoring, "layer_profile", counted)
    for _ in range(2):
        assert command("profile", "config.yaml")[0] == 0
    picture = workplace / "run" / "layer_profile.png"
    drawn = picture.read_bytes()
    picture.unlink()
    assert command("profile", "run")[0] == 0
    assert done == [("./bert", "linear_probe_accuracy")]
    assert picture.read_bytes() == drawn
    assert command("profile", "config.yaml", *CHEAP)[0] == 0
    assert command("profile", "config.yaml", "rank_examples=25")[0] == 0
    assert done[1:] == [("./bert", "knn_accuracy"), ("./bert", "linear_probe_accuracy")]


def test_without_a_checkpoint_the_best_candidate_is_profiled(
    workplace: Path, command: Command
) -> None:
    text = (workplace / "config.yaml").read_text()
    (workplace / "config.yaml").write_text(text.replace("checkpoint:", "candidates:"))
    code, out, err = command("profile", "config.yaml", *CHEAP)
    assert code == 0, err
    assert "Layers of ./bert" in out and (workplace / "run" / "ranking.json").is_file()


def test_an_edited_plan_names_the_checkpoint(workplace: Path, command: Command) -> None:
    assert command("plan", "config.yaml")[0] == 0
    path = workplace / "run" / Plan.file_name
    (workplace / "bert").rename(workplace / "other")
    replace(Plan.load(path), checkpoint="./other").save(path)
    code, out, err = command("profile", "run", *CHEAP)
    assert code == 0, err
    assert "Layers of ./other" in out


def test_an_unknown_score_is_one_clear_message(workplace: Path, command: Command) -> None:
    code, _, err = command("profile", "config.yaml", "--score", "logm")
    assert code == 2 and "did you mean 'logme'?" in err and "Traceback" not in err
