"""A study as its folder describes it: study.yaml, and one config for each rung."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from case_studies import plain_networks  # noqa: F401  names the networks of the first rungs
from hf_transfer_plugin import Line, Plan, Ranking, RunConfig, load_config
from hf_transfer_plugin.errors import ConfigError, did_you_mean
from hf_transfer_plugin.strict_yaml import read_mapping

__all__ = ["Rung", "Study", "load_study", "unranked_plan"]

FILE = "study.yaml"
_KEYS = ("title", "run_folder", "rungs", "train_rows", "note")
_TRAIN_ROWS = 1000


@dataclass(frozen=True)
class Rung:
    """One rung: a config, and the rung that it is judged against.

    Attributes:
        name: of its config, without the ending.
        config: what its YAML says.
        against: another rung; None: the one before it.
    """

    name: str
    config: RunConfig
    against: str | None = None

    @property
    def from_scratch(self) -> bool:
        """Tell whether the checkpoint is an architecture alone: a folder without weights."""
        folder = Path(self.config.checkpoint or "")
        return (folder / "config.json").is_file() and not any(folder.glob("*.safetensors"))

    def plan(self, folder: Path) -> Plan:
        """Return the plan of the rung, which has its name; `schedule: auto` is proposed by a pilot.

        Args:
            folder: of the rung, where a proposal is written.

        Raises:
            ScheduleError: for a schedule that contradicts itself.
        """
        config = self.config
        if config.proposes:
            line = Line(replace(config, run_folder=str(folder)))
            line.propose(pilot=True)
            return replace(line.plan(), name=self.name)
        plan = replace(unranked_plan(config), name=self.name)
        return replace(plan, weights="random") if self.from_scratch else plan


def unranked_plan(config: RunConfig) -> Plan:
    """Return the plan of a config that names its checkpoint, so that nothing is ranked."""
    return config.plan(Ranking(config.task, data="", score="", examples=0, candidates=()))


@dataclass(frozen=True)
class Study:
    """A ladder of rungs on the same data.

    Attributes:
        title: heading of its table.
        note: what a reader must know of the data; "" for nothing.
        folder: where everything of the study is written.
        rungs: in the order of the table.
        train_rows: rows of train that the kept model of each rung answers, at most.
    """

    title: str
    note: str
    folder: Path
    rungs: tuple[Rung, ...]
    train_rows: int = _TRAIN_ROWS


def load_study(
    folder: Path, overrides: Sequence[str] = (), only: Sequence[str] = (), into: Path | None = None
) -> Study:
    """Read a study.

    Args:
        folder: holds study.yaml and the configs of the rungs.
        overrides: `key=value` for the config of every rung.
        only: rungs that are wanted; none means all.
        into: where it is written, in place of its `run_folder`.

    Raises:
        ConfigError: for a file that cannot be read, an unknown key or rung, or a rung without a
            checkpoint.
    """
    expected = f"a YAML file with {', '.join(_KEYS)}"
    keys = read_mapping(folder / FILE, ConfigError, expected)
    for key in keys:
        if key not in _KEYS:
            raise ConfigError(
                arrived=f"{folder / FILE}: unknown key {key}{did_you_mean(str(key), _KEYS)}",
                expected=expected,
                action="correct or remove the key",
            )
    against = _against(keys.get("rungs"), folder)
    for name in only:
        if name not in against:
            raise ConfigError(
                arrived=f"there is no rung {name!r}{did_you_mean(name, against)}",
                expected=f"one of {', '.join(against)}",
                action="correct the name",
            )
    rungs = tuple(
        _rung(folder, name, other, overrides)
        for name, other in against.items()
        if not only or name in only
    )
    return Study(
        title=str(keys.get("title", folder.name)),
        note=" ".join(str(keys.get("note", "")).split()),
        folder=into or Path(str(keys.get("run_folder", f"runs/{folder.name}"))),
        rungs=rungs,
        train_rows=int(keys.get("train_rows", _TRAIN_ROWS)),
    )


def _against(listed: Any, folder: Path) -> Mapping[str, str | None]:
    """Return rung -> the rung it is judged against, in order."""
    entries = [each if isinstance(each, Mapping) else {"name": each} for each in listed or ()]
    found = {str(each.get("name")): each.get("against") for each in entries}
    strange = [other for other in found.values() if other is not None and other not in found]
    if not found or strange or len(found) < len(entries):
        raise ConfigError(
            arrived=f"{folder / FILE}: rungs: {listed!r}",
            expected="names of configs beside it, each once: [a, b, {name: c, against: a}]",
            action="correct rungs",
        )
    return found


def _rung(folder: Path, name: str, against: str | None, overrides: Sequence[str]) -> Rung:
    config = load_config(folder / f"{name}.yaml", overrides)
    if config.checkpoint is None:
        raise ConfigError(
            arrived=f"{folder / name}.yaml names no checkpoint",
            expected="one checkpoint for each rung",
            action="add checkpoint to the file",
        )
    return Rung(name, config, against)
