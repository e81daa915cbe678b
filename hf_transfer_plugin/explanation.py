"""What a schedule will do to a model, as a record that prints and draws itself."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from hf_transfer_plugin.errors import ConfigError, RecordError
from hf_transfer_plugin.serialization import Record, write_atomic

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["Explanation", "PhaseCost"]


@dataclass(frozen=True)
class PhaseCost(Record):
    """One phase of the schedule on this model.

    Attributes:
        name: of the phase.
        start, end: first optimizer step, and the step after the last, at the latest. Both are
            the end of the run for a phase that begins when an earlier one reaches a plateau.
        groups: layer groups that train or may train, input to head.
        trainable_parameters: weights that train at a time. The mean over draws where layers are
            drawn at random; an upper bound where layers freeze or matrices are measured (see
            `note`).
        share: of all weights, 0..1.
        peak_rate: highest learning rate of the phase, before warm-up and decay.
        optimizer_mib: memory of AdamW's two states, in MiB: for what trains, and for what
            trained before and trains again later. The rest is released.
        relative_cost: estimated arithmetic of a step against full fine-tuning, 0..1.
        low_rate: lowest learning rate among its layer groups, before warm-up and decay.
        rates: layer group -> learning rate, before warm-up and decay.
        uncertain: the layer groups of which a draw or a measurement decides whether, or how
            fast, they train.
        starts_late: the first step depends on validation.
        ends_early: the end depends on validation.
        note: what is not known in advance, in plain words.
    """

    name: str
    start: int
    end: int
    groups: tuple[str, ...]
    trainable_parameters: int
    share: float
    peak_rate: float
    optimizer_mib: float
    relative_cost: float
    low_rate: float = 0.0
    rates: dict[str, float] = field(default_factory=dict, hash=False)
    uncertain: tuple[str, ...] = ()
    starts_late: bool = False
    ends_early: bool = False
    note: str = ""


@dataclass(frozen=True)
class Explanation(Record):
    """What will happen; `str()` gives it as text, `rich.print` as a table.

    Attributes:
        model: name of the checkpoint or class of the model.
        parameters: all weights.
        total_steps: optimizer steps.
        groups: all layer groups, input to head.
        phases: first to last.
        findings: what does not fit, or is easily overlooked, in plain words.
        cost_unit: what costs are counted in: "multiply-adds", or "weights" where the model
            cannot be run without values.
        curve: (optimizer step, factor on the rate at that step): warm-up and decay. Empty when
            the scheduler is not known in advance.
    """

    file_name = "explanation.json"

    model: str
    parameters: int
    total_steps: int
    groups: tuple[str, ...]
    phases: tuple[PhaseCost, ...]
    findings: tuple[str, ...] = ()
    cost_unit: str = "weights"
    curve: tuple[tuple[int, float], ...] = ()

    @property
    def relative_cost(self) -> float | None:
        """Estimated arithmetic of the whole run against full fine-tuning.

        None when the lengths of phases are not known in advance.
        """
        if any(phase.ends_early for phase in self.phases):
            return None
        work = sum(phase.relative_cost * (phase.end - phase.start) for phase in self.phases)
        return work / self.total_steps

    def __str__(self) -> str:
        """Return a table for a terminal or a report."""
        from hf_transfer_plugin.explanation_table import plain_text

        return plain_text(self)

    def __rich__(self) -> RenderableType:
        """Return a table for Rich."""
        from hf_transfer_plugin.explanation_table import rich_table

        return rich_table(self)

    def picture(self, path: str | os.PathLike[str]) -> Path:
        """Draw layer groups over optimizer steps, coloured by rate, and write it as PNG.

        Args:
            path: a file that ends in .png.

        Raises:
            ConfigError: when the file cannot be written.
        """
        from hf_transfer_plugin.explanation_picture import draw

        action = "choose another file for the picture, such as schedule.png"
        if Path(path).suffix.lower() != ".png":
            raise ConfigError(f"the picture {os.fspath(path)}", "a name that ends in .png", action)
        try:
            return write_atomic(path, draw(self))
        except RecordError as error:
            raise ConfigError(
                error.arrived, "a file in a folder that this user may write", action
            ) from None
