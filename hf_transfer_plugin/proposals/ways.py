"""The ways that rules choose from: schedule x adapter x objective, each by its name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hf_transfer_plugin.adapter_records import Adapter
from hf_transfer_plugin.objective_records import Objective
from hf_transfer_plugin.proposal_records import Kept

__all__ = ["WAYS", "Way", "beyond", "laid_over"]


@dataclass(frozen=True)
class Way:
    """How a checkpoint is transferred.

    Attributes:
        name: of the combination.
        schedule: as a config has it.
        adapter, objective: None for none.
    """

    name: str
    schedule: Mapping[str, Any] = field(default_factory=lambda: {"name": "full"})
    adapter: Adapter | None = None
    objective: Objective | None = None

    @property
    def axes(self) -> tuple[Mapping[str, Any], Adapter | None, Objective | None]:
        """Return what makes two ways the same."""
        return self.schedule, self.adapter, self.objective


_LP_FT = {"name": "lp_ft", "fraction": 0.3}
_TOP_BLOCK = {"name": "top_layers", "n": 1}
HEAD = "head alone"

WAYS: Mapping[str, Way] = {
    way.name: way
    for way in (
        Way("full"),
        Way(HEAD, {"name": "linear_probe"}),
        Way("lp_ft", _LP_FT),
        Way("lora, lp_ft", _LP_FT, Adapter("lora")),
        Way("ia3", adapter=Adapter("ia3")),
        Way("delta", objective=Objective("delta")),
        Way("top block", _TOP_BLOCK),
        Way("mcc", _TOP_BLOCK, objective=Objective("mcc")),
        Way("mmd", _TOP_BLOCK, objective=Objective("mmd")),
    )
}


def beyond(selectors: tuple[str, ...]) -> Way:
    """Return the way that trains what follows the cut of a layer profile."""
    return Way("beyond the cut", {"phases": [{"train": list(selectors)}]})


def laid_over(way: Way, kept: Kept) -> Way | None:
    """Return a way with what the user has written in place of its own.

    Returns:
        The way, under another name where it has become another one; None where what the user
        wrote would not train: an adapter under a schedule of the head alone.
    """
    made = replace(
        way,
        schedule=way.schedule if kept.schedule is None else kept.schedule,
        adapter=kept.adapter or way.adapter,
        objective=kept.objective or way.objective,
    )
    if way.name == HEAD and kept.adapter is not None and kept.schedule is None:
        return None
    if made.axes == way.axes:
        return made
    known = next((each.name for each in WAYS.values() if each.axes == made.axes), None)
    return replace(made, name=known or _named(made))


def _named(way: Way) -> str:
    parts = [str(way.schedule.get("name", "phases"))]
    parts += [each.name for each in (way.adapter, way.objective) if each is not None]
    return ", ".join(parts)
