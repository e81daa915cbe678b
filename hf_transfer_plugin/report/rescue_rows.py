"""The ladder of rescues, as rows and sentences of plain text."""

from __future__ import annotations

import math

from hf_transfer_plugin.records import Report, Rung
from hf_transfer_plugin.report.names import one_line
from hf_transfer_plugin.report.rows import Cells
from hf_transfer_plugin.report.words import (
    margin_words,
    metric_name,
    number,
    percent,
    points,
    verdict_sentence,
)

__all__ = ["rescue_cells", "rescue_sentence"]

_NAMES = {
    "lp-ft": "LP-FT",
    "wise-ft": "WiSE-FT",
    "greedy-soup": "greedy soup of the seeds",
    "adapter-only": "adapter only",
    "frozen-probe": "frozen probe",
    "return-control": "the control itself",
}


def rescue_cells(report: Report) -> Cells | None:
    """Return one row for each rung that was tried or skipped; None without a ladder."""
    rescue = report.rescue
    if rescue is None or not rescue.rungs:
        return None
    control = f"“{one_line(rescue.harm.baseline)}”"
    level = f"{100 * rescue.harm.confidence:g}% interval"
    return Cells(
        f"{metric_name(rescue.harm.metric).capitalize()} on validation, mean over seeds, and "
        f"rung − {control} in points. A rung is accepted when the lower end of its interval over "
        f"paired seeds is above −{margin_words(rescue.harm)}.",
        ("Rung", "Validation", "Difference", level, "Accepted", "Why", "Seconds"),
        [_row(rung) for rung in rescue.rungs],
        text_columns=(4, 5),
    )


def _row(rung: Rung) -> tuple[str, ...]:
    name = _NAMES[rung.name] + (f" ({one_line(rung.chosen)})" if rung.chosen else "")
    tried = math.isfinite(rung.lower)
    return (
        name,
        percent(rung.mean),
        points(rung.difference),
        f"{points(rung.lower)} to {points(rung.upper)}" if tried else "–",
        "yes" if rung.accepted else "no",
        one_line(rung.why),
        number(rung.seconds, 1),
    )


def rescue_sentence(report: Report) -> str:
    """Return what the ladder returned and what the test split says of it; empty without one."""
    rescue = report.rescue
    if rescue is None or not rescue.rungs:
        return ""
    if rescue.accepted is None or not rescue.finished:
        return "The ladder of rescues was not climbed to its end: run hf-tl rescue again."
    where = "" if rescue.kept_seed is None else " Its weights are in the folder “rescued”."
    if rescue.verdict is None:
        return f"No rung was accepted, so the control itself is returned.{where}"
    said = verdict_sentence(rescue.verdict).replace("Transfer", "The rescue", 1)
    return (
        f"Accepted on validation: {_NAMES[rescue.accepted.name]}. The test split was read once, "
        f"afterwards. {said}{where}"
    )
