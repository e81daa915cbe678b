"""The table of a study as Markdown."""

from __future__ import annotations

import math
from collections.abc import Mapping

from case_studies.table import Figure, StudyTable
from hf_transfer_plugin.report.markdown import escape, table
from hf_transfer_plugin.report.rows import Cells
from hf_transfer_plugin.report.words import counted, number, points

__all__ = ["markdown", "measured_with"]

_GIGABYTE = 1e9


def markdown(found: StudyTable) -> str:
    """Return a page: the rungs, the differences between them, and each class of the best one."""
    level = f"{100 * found.confidence:g}%"
    counts = ", ".join(f"{count:,} {role}" for role, count in found.counts.items())
    parts = [
        f"# {escape(found.title)}",
        f"{found.class_count} classes; rows: {counts}. Made by `{found.command}`.",
        str(escape(found.note)) if found.note else "",
        _section("Rungs", _rungs(found, level)),
        _section("Differences", _differences(found, level)) if found.differences else "",
        _section(f"Classes of rung {escape(found.best)}", _classes(found)),
        measured_with(found.environment),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def measured_with(environment: Mapping[str, str]) -> str:
    """Return the sentence on versions and machine that ends a page."""
    told = ", ".join(f"{escape(name)} {escape(what)}" for name, what in environment.items())
    return f"Measured with {told}."


def _section(title: str, cells: Cells) -> str:
    return f"## {title}\n\n{escape(cells.caption)}\n\n{str(table(cells)).strip()}"


def _rungs(found: StudyTable, level: str) -> Cells:
    binary = any(math.isfinite(row.auc) for row in found.rungs)
    rows: list[tuple[str, ...]] = [
        (
            f"{row.name}: {row.title}",
            str(row.seeds),
            number(row.train),
            _spread(row.validation),
            _spread(row.test),
            number(row.precision),
            number(row.recall),
            number(row.f1),
            *((number(row.auc),) if binary else ()),
            f"{row.seconds:,.0f} ({row.first_seconds:,.0f})",
            number(row.peak_memory / _GIGABYTE, 2) if row.peak_memory else "–",
            f"{row.trainable:,}",
        )
        for row in found.rungs
    ]
    head = (
        *("Rung", "Seeds", "Train", "Validation", "Test", "Precision", "Recall", "F1"),
        *(("AUC",) if binary else ()),
        *("Seconds (first seed)", "Peak memory, GB", "Weights that train"),
    )
    caption = (
        f"Accuracy, mean over seeds with its {level} t-interval; train: the kept model on "
        f"{found.train_rows:,} rows of train as they are stored. Precision, recall and F1 on test, "
        "each class weighted by its examples. Seconds of all seeds with their evaluations; the "
        "first seed computes frozen layers, where the others read them."
    )
    return Cells(caption, head, rows)


def _spread(figure: Figure) -> str:
    if not math.isfinite(figure.lower):
        return number(figure.mean)
    lower, upper = max(figure.lower, 0.0), min(figure.upper, 1.0)  # as far as accuracy can go
    return f"{number(figure.mean)} ({number(lower)} to {number(upper)})"


def _differences(found: StudyTable, level: str) -> Cells:
    rows: list[tuple[str, ...]] = [
        (
            f"{each.rung} − {each.against}",
            points(each.difference),
            f"{points(each.lower)} to {points(each.upper)}",
            each.outcome,
            counted(each.seeds, "pair"),
        )
        for each in found.differences
    ]
    caption = (
        f"Points of test accuracy, {level} interval over paired seeds and test examples, margin "
        f"{100 * found.margin:g}."
    )
    return Cells(
        caption, ("Rungs", "Points", "Interval", "Verdict", "Seeds"), rows, text_columns=(3,)
    )


def _classes(found: StudyTable) -> Cells:
    rows: list[tuple[str, ...]] = [
        (
            each.name,
            f"{each.examples:,}",
            number(each.precision),
            number(each.recall),
            number(each.f1),
        )
        for each in found.classes
    ]
    caption = "On test, mean over seeds; the rung with the best validation accuracy."
    return Cells(caption, ("Class", "Examples", "Precision", "Recall", "F1"), rows)
