"""A study as its folder describes it: study.yaml, and one config for each rung."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from case_studies import plain_networks  # noqa: F401  names the networks of the first rungs
from hf_transfer_plugin import Line, Plan, Ranking, RunConfig, load_config
from hf_transfer_plugin.errors import ConfigError, did_you_mean
from hf_transfer_plugin.strict_yaml import read_mapping

__all__ = ["Rung", "Study", "check_known", "load_study", "read_study", "unranked_plan"]

FILE = "study.yaml"
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
    keys = read_study(folder, "rungs", "train_rows")
    against = _against(keys.get("rungs"), folder)
    check_known(only, list(against), f"{folder / FILE}: unknown rung")
    rungs = tuple(
        _rung(folder, name, other, overrides)
        for name, other in against.items()
        if not only or name in only
    )
    return Study(
        title=str(keys["title"]),
        note=keys["note"],
        folder=into or Path(str(keys["run_folder"])),
        rungs=rungs,
        train_rows=int(keys.get("train_rows", _TRAIN_ROWS)),
    )


def read_study(folder: Path, *own: str) -> dict[str, Any]:
    """Return the keys of a study.yaml: title, run_folder and note, always there, and its own.

    Raises:
        ConfigError: for a file that cannot be read, or an unknown key.
    """
    known = ("title", "run_folder", "note", *own)
    keys = read_mapping(folder / FILE, ConfigError, f"a YAML file with {', '.join(known)}")
    check_known(keys, known, f"{folder / FILE}: unknown key")
    note = " ".join(str(keys.get("note", "")).split())
    return {"title": folder.name, "run_folder": f"runs/{folder.name}", **keys, "note": note}


def check_known(names: Iterable[str], known: Sequence[str], told: str) -> None:
    """Raise a ConfigError that opens with `told` for a name that is not known."""
    for name in names:
        if name not in known:
            raise ConfigError(
                arrived=f"{told} {name}{did_you_mean(str(name), known)}",
                expected=f"one of {', '.join(known)}",
                action="correct or remove it",
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
