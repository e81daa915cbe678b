"""Each subcommand: what it prints, what it writes, and that it goes on from a run folder."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from hf_transfer_plugin import Line, Plan, RunConfig, RunResult, Verdict, load_config
from hf_transfer_plugin.cli import app
from hf_transfer_plugin.train import training
from tests.cli.conftest import Command
from tests.hub_server import HubServer

COMMANDS = ("cache", "demo", "doctor", "embeddings", "explain", "few-shot", "judge", "multitask")
COMMANDS += ("plan", "profile", "publish", "rank", "report", "rescue", "run", "zero-shot")


def _files(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


def _contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def _refuse_training(patch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("trained")

    patch.setattr(training, "train_once", refuse)


def test_the_table_is_whole() -> None:
    assert tuple(sorted(each.name or "" for each in app.registered_commands)) == COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_help(name: str, command: Command) -> None:
    code, out, _ = command(name, "--help")
    assert code == 0 and out.startswith("Usage: ") and f"hf-tl {name} " in out


def test_what_comes_before_training_trains_nothing(
    workplace: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    _refuse_training(monkeypatch)
    run = workplace / "run"
    code, out, _ = command("rank", "config.yaml", "rank_examples=10")
    assert code == 0 and "What to transfer (10 training examples)" in out
    assert "./bert" in out and "random" in out and "tfidf" in out
    assert out.endswith("\nwritten: run/ranking.json\n")
    assert _files(run) == {"config.json", "data.json", "ranking.json"}
    code, out, _ = command("plan", "config.yaml")
    assert code == 0 and "How to transfer" in out and "written: run/plan.json" in out
    assert _files(run) == {
        "config.json",
        "data.json",
        "explanation.json",
        "plan.json",
        "ranking.json",
    }
    code, out, _ = command("explain", "run")
    assert code == 0 and "5 optimizer steps" in out


def test_explain_prints_a_table_and_draws(workplace: Path, command: Command) -> None:
    schedule = "schedule={name: lp_ft, fraction: 0.4}"
    code, out, err = command("explain", "config.yaml", schedule, "--picture", "plots/how.png")
    assert code == 0, err
    (head,) = (line for line in out.splitlines() if line.startswith("head "))
    (full,) = (line for line in out.splitlines() if line.startswith("full "))
    assert "neck, head" in head and " 0-2 " in head
    assert " all " in full and " 2-5 " in full and full.rstrip().endswith("100%")
    assert "findings" in out and "- dropout is off in frozen layers" in out
    assert out.splitlines()[-1] == "written: plots/how.png"
    with Image.open(workplace / "plots" / "how.png") as picture:
        assert picture.format == "PNG" and picture.width == 1200


@pytest.mark.parametrize("where", ["config.yaml/how.png", "how.svg"])
def test_a_picture_that_cannot_be_written(where: str, workplace: Path, command: Command) -> None:
    code, _, err = command("explain", "config.yaml", "--picture", where)
    assert code == 2 and "error: " in err and where in err
    assert "to do: choose another file for the picture" in err
    assert not (workplace / "how.svg").exists()


def test_run_then_everything_from_its_folder(
    workplace: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = workplace / "run"
    code, out, err = command("run", "config.yaml", "seeds=2")
    assert code == 0, err
    for text in ("What to transfer", "How to transfer", "against from-scratch", "2 paired seeds"):
        assert text in out, text
    assert "report  run/report.html" in out and (run / "report.html").is_file()
    assert "transfer: seed 0, test accuracy" in err
    assert "hf-tl run config.yaml seeds=2" in (run / "README.md").read_text()

    _refuse_training(monkeypatch)
    verdict = (run / "verdict.json").read_bytes()
    results = _contents(run / "results")
    (run / "verdict.json").unlink()
    code, out, err = command("judge", "run")
    assert code == 0, err
    assert out.count("paired seeds") == 2 and "against majority" in out
    assert (run / "verdict.json").read_bytes() == verdict
    (run / "README.md").unlink()
    moved = run.rename(workplace / "moved")
    code, out, err = command("report", "moved")
    assert code == 0, err
    assert "card    moved/README.md" in out and (moved / "README.md").is_file()
    assert "hf-tl run config.yaml seeds=2" in (moved / "README.md").read_text()
    assert _contents(moved / "results") == results


def test_an_edited_plan_is_run(workplace: Path, command: Command) -> None:
    assert command("plan", "config.yaml", "controls=majority")[0] == 0
    path = workplace / "run" / Plan.file_name
    plan = Plan.load(path)
    replace(plan, seeds=(7, 8), training={"max_steps": 3}).save(path)
    code, _, err = command("run", "run")
    assert code == 0, err
    for name in ("transfer", "majority"):
        result = RunResult.load(workplace / "run" / "results" / f"{name}.json")
        assert [each.seed for each in result.seeds] == [7, 8]
        assert {each.steps for each in result.seeds} == {3 if name == "transfer" else 0}


@pytest.mark.parametrize("where", ["rank", "explain", "judge"])
def test_ctrl_c(
    where: str, workplace: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(_: Line) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Line, where, stop)
    code, _, err = command(where, "config.yaml")
    assert code == 130 and "Traceback" not in err
    assert err.splitlines()[-1] == "stopped; the same command goes on from here"


def test_a_token_is_not_shown(
    workplace: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hf_transfer_plugin.errors import HubError

    def fail(_: Line) -> None:
        raise HubError("refused hf_abcdefghijklmnop", "a token", "log in")

    monkeypatch.setattr(Line, "rank", fail)
    code, out, err = command("rank", "config.yaml")
    assert code == 2 and "error: refused" in err
    assert "hf_abcdefghijklmnop" not in out + err


def test_publish(workplace: Path, command: Command, hub: HubServer) -> None:
    assert command("run", "config.yaml", "controls=majority", "training.max_steps=2")[0] == 0
    code, out, err = command("publish", "run", "tester/tiny", "--private")
    assert code == 0, err
    assert f"published: {hub.endpoint}/tester/tiny" in out
    assert hub.store.repos["tester/tiny"].private
    files = hub.store.files("tester/tiny")
    assert {"README.md", "report.html", "config.json", "model.safetensors"} <= set(files)
    assert files["model.safetensors"] == (workplace / "run/model/model.safetensors").read_bytes()


def test_demo(workplace: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """The words of the demo around a tiny run; its own configs are read and checked."""
    import hf_transfer_plugin.config as module

    asked: list[RunConfig] = []

    def tiny(path: Path, overrides: list[str]) -> RunConfig:
        asked.append(load_config(path, overrides))
        return load_config("config.yaml", [*overrides, "controls=majority", "training.max_steps=2"])

    monkeypatch.setattr(module, "load_config", tiny)
    code, out, err = command("demo", "--folder", "demos")
    assert code == 0, err
    assert [each.task for each in asked] == ["text-classification", "image-classification"]
    assert [each.run_folder for each in asked] == ["demos/demo-text", "demos/demo-images"]
    assert "Transfer against its control (2 paired seeds, 95% intervals)" in out
    for name in ("demo-text", "demo-images"):
        verdict = Verdict.load(workplace / "demos" / name / "verdict.json")
        assert verdict.baseline == "majority"
        report = json.loads((workplace / "demos" / name / "report.json").read_text())
        assert report["command"] == f"hf-tl demo --only {name.removeprefix('demo-')}"
