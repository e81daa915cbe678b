"""A proposal of a run folder: written, blind to the test split, and gone on with."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hf_transfer_plugin import Line, Plan, Report, RunConfig, RunResult, load_config
from hf_transfer_plugin.layer_profile_record import LayerProfile
from hf_transfer_plugin.line_proposing import came_from
from hf_transfer_plugin.proposal_records import Proposal
from tests.cli.conftest import command as command
from tests.cli.conftest import workplace as workplace
from tests.tiny_runs import texts, write_text_folder

SHORT = ("training.max_steps=3", "controls=majority", "batch_size=8")
_CLOCK = ("seconds", "pass_seconds")


def _without_clock(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_clock(v) for k, v in value.items() if k not in _CLOCK}
    return [_without_clock(each) for each in value] if isinstance(value, list) else value


def test_a_proposal_with_a_pilot_is_gone_on_with(
    workplace: Path, command: Callable[..., tuple[int, str, str]]
) -> None:
    code, out, err = command("plan", "config.yaml", "--propose", "--pilot", *SHORT)
    assert code == 0, err
    for text in ("How to transfer, proposed: 40 rows", "Pilot: seed 0", "one standard error"):
        assert text in out, text
    assert out.endswith("written: run/proposal.json\nwritten: run/plan.json\n")
    run = workplace / "run"
    found = Proposal.load(run / "proposal.json")
    plan = Plan.load(run / "plan.json")
    assert found.pilot is not None and len(found.pilot.runs) == 6
    assert plan.adapter == found.option.adapter
    assert plan.training["learning_rate"] == found.option.learning_rate
    assert plan.training["max_steps"] == 3 and found.option.epochs is None
    for file in (run / "pilot").iterdir():
        assert not RunResult.load(file).labels and not RunResult.load(file).seeds[0].test

    shuffled = texts(10, start=25)
    shuffled["label"] = shuffled["label"][3:] + shuffled["label"][:3]
    write_text_folder(workplace / "other", test=shuffled)
    command("plan", "config.yaml", "--propose", "--pilot", *SHORT, "data=other", "run_folder=blind")
    seen, blind = (
        json.loads((workplace / name / "proposal.json").read_text()) for name in ("run", "blind")
    )
    assert _without_clock(seen) == _without_clock(blind)

    code, _, err = command("run", "run")
    assert code == 0, err
    assert RunResult.load(run / "results" / "transfer.json").plan == plan
    assert Report.load(run / "report.json").proposal == found
    chose = f"lanner after a pilot: of 4 options, short trainings chose “{found.chosen}” on"
    page, card = ((run / name).read_text() for name in ("report.html", "README.md"))
    assert f"<p>Proposed by the p{chose} validation rows.</p>" in page
    assert f"{found.pilot.examples:,} rows: 6 trainings with seed 0" in page
    assert ">3 steps (yours)<" in page
    assert f"- The plan was proposed by the p{chose.replace('_', chr(92) + '_')}" in card
    assert "The config, not the planner, decided the length." in card

    data = Line.open("run").data
    assert came_from(run, replace(plan, seeds=(*plan.seeds, 99)), data) == found
    for changed in ({"batch_size": 4}, {"training": {**plan.training, "learning_rate": 0.5}}):
        assert came_from(run, replace(plan, **changed), data) is None


def test_auto_proposes_what_is_open_and_stays(workplace: Path) -> None:
    keys = ["schedule=auto", "adapter=ia3", *SHORT]
    config = load_config("config.yaml", keys)
    assert config.proposes and config.kept.schedule is None
    line = Line(config)
    plan = line.plan()
    assert plan.adapter is not None and plan.adapter.name == "ia3"
    assert len(plan.schedule) == 2  # LP-FT, the first of the rules, with the adapter as written
    assert Line.open("run").plan() == plan
    assert RunConfig.load("run/config.json").proposes

    limited = line.propose(budget_minutes=1e-6)
    assert "nothing fits" in limited.findings[-1]
    again = Line(config)
    again.plan()
    assert Proposal.load("run/proposal.json") == limited  # one that is there will do
    assert again.propose().facts.budget_minutes is None


def test_without_auto_nothing_is_proposed(workplace: Path) -> None:
    line = Line(load_config("config.yaml", list(SHORT)))
    plan = line.plan()
    assert [phase.train for phase in plan.schedule] == [("*",)]
    assert came_from(line.folder, plan, line.data) is None
    assert not (workplace / "run" / "proposal.json").exists()


@pytest.mark.parametrize(
    ("words", "arrived", "action"),
    [
        (["config.yaml", "--budget", "3"], "--budget", "add --propose"),
        (["config.yaml", "--pilot"], "--pilot", "add --propose"),
        (["config.yaml", "--propose", "--budget", "0"], "--budget 0", "correct --budget"),
        (["run", "--propose"], "--propose for the run folder run", "give the config file"),
    ],
)
def test_bad_options(
    words: list[str],
    arrived: str,
    action: str,
    workplace: Path,
    command: Callable[..., tuple[int, str, str]],
) -> None:
    (workplace / "run").mkdir()
    code, _, err = command("plan", *words)
    assert code == 2 and f"error: {arrived}" in err and f"to do: {action}" in err


def test_a_layer_profile_of_these_data_counts(workplace: Path) -> None:
    line = Line(load_config("config.yaml", list(SHORT)))
    profile = LayerProfile(
        task="text-classification",
        data=line.data.summary.fingerprint,
        checkpoint="./bert",
        score="linear_probe_accuracy",
        examples=20,
        confidence=0.95,
        layers=(),
        best="layer.0",
        source_specific_from="layer.1",
        beats_random=True,
        freeze=("embeddings", "layer.0"),
        train=("top:1",),
    )
    profile.save(workplace / "run" / LayerProfile.file_name)
    cut = line.propose().options[1]
    assert cut.name == "beyond the cut" and cut.schedule == {"phases": [{"train": ["top:1"]}]}
    replace(profile, data="others").save(workplace / "run" / LayerProfile.file_name)
    assert "beyond the cut" not in [each.name for each in line.propose().options]
