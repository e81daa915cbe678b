"""`hf-tl judge --until-settled`: what it says, and what it refuses."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Command


def test_each_look_is_shown(workplace: Path, command: Command) -> None:
    words = ("judge", "config.yaml", "controls=majority", "training.max_steps=2")
    code, out, err = command(*words, "--until-settled", "--most-seeds", "4")
    assert code == 0, err
    looks = [line for line in out.splitlines() if line.startswith("look at ")]
    assert [line.split(":")[0] for line in looks] == [f"look at {n} seeds" for n in (2, 3, 4)]
    assert "no interval yet: too few seeds" in looks[0]
    assert "95% anytime-valid interval [" in looks[2]
    assert "4 paired seeds" in out
    code, out, _ = command("judge", "run")
    assert code == 0 and "4 paired seeds" in out and "anytime-valid" in out


def test_what_does_not_go_together(workplace: Path, command: Command) -> None:
    code, _, err = command("judge", "config.yaml", "--most-seeds", "9")
    assert code == 2 and "--most-seeds 9 without --until-settled" in err
    code, _, err = command("judge", "config.yaml", "--until-settled", "--most-seeds", "1")
    assert code == 2 and "most-seeds" in err
    assert not (workplace / "run").exists()


def test_planned_looks_say_where_they_stopped(workplace: Path, command: Command) -> None:
    words = ("judge", "config.yaml", "controls=majority", "training.max_steps=2", "margin=0.9")
    code, out, err = command(*words, "seeds=4", "looks=[2,4]")
    assert code == 0, err
    assert "equivalent against majority" in out and "95% group-sequential interval [" in out
    assert "stopped at the look at 2 of at most 4 paired seeds: settled" in out
    code, _, err = command("judge", "run", "--until-settled")
    assert code == 2 and "a look after every seed of a run with looks: [2, 4]" in err
    assert "Traceback" not in err
