"""The records that a run folder holds beside those of the arrows, and whether they still fit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from hf_transfer_plugin.look_records import Look, Looks
from hf_transfer_plugin.processes import is_first, wait_for_all
from hf_transfer_plugin.records import Plan, Report, Rescue, Verdict
from hf_transfer_plugin.serialization import Record

__all__ = ["LineFolder"]

_Value = TypeVar("_Value", bound=Record)


@dataclass(frozen=True)
class LineFolder:
    """A run folder, seen by every process and written by the first one.

    Attributes:
        path: of the folder.
    """

    path: Path

    def write(self, record: Record) -> None:
        """Write a record under its own name."""
        if is_first():
            record.save(self.path / record.file_name)

    def held(self, kind: type[_Value]) -> _Value | None:
        """Return the record of a kind; None where there is none.

        Raises:
            RecordError: for one that cannot be read.
        """
        path = self.path / kind.file_name
        return kind.load(path) if path.is_file() else None

    def command_of(self, plan: Plan) -> str:
        """Return the command of the report that is there, unless the plan was edited since."""
        held = Report.load_usable(self.path / Report.file_name)
        same = held is not None and replace(held.transfer.plan, seeds=plan.seeds) == plan
        return held.command if held is not None and same else ""

    def with_added_seeds(self, plan: Plan) -> Plan:
        """Return a plan with the seeds that looks at it have added."""
        held = self.held(Looks)
        added = held is not None and held.planned == plan.seeds and held.fits(plan)
        return held.plan if held is not None and added else plan

    def looks_at(self, plan: Plan) -> Looks | None:
        """Return the looks at a plan, if what trained was ever chosen by what was seen."""
        held = self.held(Looks)
        return held if held is not None and held.fits(plan) else None

    def write_looks(self, looks: Looks) -> None:
        """Write looks.json; no process goes on before it is there."""
        self.write(looks)
        wait_for_all()

    def add_look(self, plan: Plan, at: tuple[int, ...], verdict: Verdict) -> None:
        """Write down a look at a plan.

        Args:
            plan: with the seeds of the last look.
            at: the numbers of seeds of all planned looks.
            verdict: what was seen.
        """
        looks = self.looks_at(plan) or Looks(plan, plan.seeds, at=at)
        for each in (verdict, *verdict.others):
            looks = looks.adding(Look.of(each))
        self.write_looks(looks)

    def rescue_from(self, verdict: Verdict) -> Rescue | None:
        """Return how far the ladder of rescues was climbed from a verdict, if it was."""
        held = self.held(Rescue)
        return held if held is not None and held.fits(verdict) else None
