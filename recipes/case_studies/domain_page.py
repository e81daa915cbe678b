"""The table of a study of domains as Markdown."""

from __future__ import annotations

from case_studies.domain_study import QUESTIONS, DomainTable
from case_studies.page import measured_with
from hf_transfer_plugin.report.markdown import escape, table
from hf_transfer_plugin.report.rows import Cells
from hf_transfer_plugin.report.words import interval_name, number, points

__all__ = ["domain_markdown"]


def domain_markdown(found: DomainTable) -> str:
    """Return a page with a table for each question that was judged."""
    parts = [
        f"# {escape(found.title)}",
        f"Made by `{found.command}`.",
        str(escape(found.note)) if found.note else "",
        *(_section(found, question) for question in QUESTIONS if found.of(question)),
        measured_with(found.environment),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(found: DomainTable, question: str) -> str:
    verdicts = found.of(question)
    first = next(iter(verdicts.values()))
    rows: list[tuple[str, ...]] = [
        (
            source,
            target,
            number(each.transfer_mean),
            number(each.control_mean),
            points(each.difference),
            f"{points(each.lower)} to {points(each.upper)}",
            each.outcome,
            str(each.seeds),
        )
        for (source, target), each in verdicts.items()
    ]
    caption = (
        f"Test accuracy on the target, mean over seeds, and points of difference with the "
        f"{interval_name(first)}, margin {100 * first.margin:g}."
    )
    names = ("with", "without") if question != "source-only" else ("source", "target")
    head = ("Source", "Target", *names, "Points", "Interval", "Verdict", "Seeds")
    cells = Cells(caption, head, rows, text_columns=(1, 6))
    title = QUESTIONS[question]
    return f"## {title[0].upper()}{title[1:]}\n\n{caption}\n\n{str(table(cells)).strip()}"
