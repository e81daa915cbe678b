"""Configs of several tasks: read strictly, and each mistake named before anything is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from hf_transfer_plugin import DataSpec, Way, load_multitask_config
from hf_transfer_plugin.errors import ConfigError, ScheduleError
from hf_transfer_plugin.records import Adapter

KEYS: dict[str, Any] = {
    "task": "text-classification",
    "tasks": {"mood": "org/mood", "topic": {"path": "org/topic", "label": "y"}},
    "run_folder": "run",
    "checkpoint": "org/bert",
}


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _write(**keys: Any) -> str:
    kept = {key: value for key, value in {**KEYS, **keys}.items() if value is not None}
    Path("config.yaml").write_text(yaml.safe_dump(kept, sort_keys=False))
    return "config.yaml"


def _some(**keys: Any) -> dict[str, Any]:
    return {"tasks": {"a": "a", "b": {"path": "b", **keys}}}


# name -> (keys of the file, overrides, the attribute, its value)
READ: dict[str, tuple[dict[str, Any], list[str], str, Any]] = {
    "tasks": (
        {},
        ["tasks.topic.train_examples=9"],
        "tasks",
        {"mood": DataSpec("org/mood"), "topic": DataSpec("org/topic", label="y", train_examples=9)},
    ),
    "one way": ({"ways": "round_robin"}, [], "ways", (Way("round_robin"),)),
    "ways": (
        {"ways": ["size", {"sampling": "temperature", "temperature": 5}, {"pcgrad": True}]},
        [],
        "ways",
        (Way(), Way("temperature", 5.0), Way(pcgrad=True)),
    ),
    "ways behind": ({}, ["ways=[{sampling: size, pcgrad: true}]"], "ways", (Way(pcgrad=True),)),
    "number of seeds": ({}, ["seeds=3"], "seeds", (0, 1, 2)),
    "one rate": ({"learning_rates": 1e-3}, [], "learning_rates", (1e-3,)),
    "an adapter": ({}, ["adapter=lora", "adapter.r=2"], "adapter", Adapter("lora", {"r": 2})),
}
# name -> (keys of the file, words of the error)
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "one task": ({"tasks": {"mood": "org/mood"}}, "one task alone: mood"),
    "tasks in a list": ({"tasks": ["a", "b"]}, "tasks: .*'a'"),
    "a name of a path": ({"tasks": {"a/b": "x", "c": "y"}}, "'a/b'"),
    "data without a path": ({"tasks": {"a": {"label": "y"}, "b": "y"}}, r"no tasks\.a\.path"),
    "an unknown key": (_some(lable="y"), r"unknown key tasks\.b\.lable; did you mean 'label'"),
    "a wrong size": (_some(train_examples=0), r"tasks\.b\.train_examples: 0"),
    "a key of another run": ({"controls": ["linear"]}, "unknown key controls"),
    "no checkpoint": ({"checkpoint": None}, "no checkpoint"),
    "an unknown sampling": ({"ways": "round-robin"}, "ways.sampling.*did you mean 'round_robin'"),
    "a way twice": ({"ways": ["size", {"sampling": "size"}]}, r"ways: \['size', 'size'\]"),
    "no way": ({"ways": []}, r"ways: \[\]"),
    "a key of a way": ({"ways": [{"pcgard": True}]}, r"unknown key ways\.pcgard"),
    "a low temperature": ({"ways": {"sampling": "temperature", "temperature": 0.5}}, "0.5"),
    "one seed": ({"seeds": 1}, r"seeds: \[0\]"),
    "an unknown metric": ({"metric": "acc"}, "unknown metric 'acc'"),
    "a wrong kind": ({"batch_size": "many"}, "batch_size: .*whole number.*'many'"),
    "a margin": ({"margin": -1}, "margin: -1"),
}


def test_the_tables_are_whole() -> None:
    assert (len(READ), len(WRONG)) == (7, 17)


@pytest.mark.parametrize("name", READ)
def test_what_is_written_is_read(name: str) -> None:
    keys, overrides, attribute, value = READ[name]
    assert getattr(load_multitask_config(_write(**keys), overrides), attribute) == value


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named(name: str) -> None:
    keys, words = WRONG[name]
    with pytest.raises(ConfigError, match=words):
        load_multitask_config(_write(**keys))


def test_a_task_twice_and_a_schedule_that_is_none() -> None:
    path = Path(_write())
    path.write_text(path.read_text().replace("topic:", "mood:"))
    with pytest.raises(ConfigError, match="mood"):
        load_multitask_config(path)
    with pytest.raises(ScheduleError):
        load_multitask_config(_write(schedule={"name": "nonsense"}))
