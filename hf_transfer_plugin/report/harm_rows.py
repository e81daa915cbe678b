"""Harm behind the mean, as rows of plain text: classes, and single test examples."""

from __future__ import annotations

from dataclasses import dataclass

from hf_transfer_plugin.records import Report
from hf_transfer_plugin.report.evidence import (
    ClassRow,
    HiddenExample,
    class_rows,
    hidden_examples,
)
from hf_transfer_plugin.report.names import one_line
from hf_transfer_plugin.report.rows import Cells
from hf_transfer_plugin.report.words import has_interval, margin_words, number, percent, points

__all__ = [
    "HIDDEN_CAPTION",
    "ShownHidden",
    "class_cells",
    "harmed_classes",
    "hidden_cells",
    "hidden_sentence",
    "shown_hidden",
]

HIDDEN_CAPTION = (
    "Test examples that transfer loses, those of most seeds first, by their number in the test "
    "split (from 0), with what most seeds answer."
)
_SHOWN_EXAMPLES = 10
_KEPT_EXAMPLES = 20
_SIGNS = {"harmed": "▼ harmed", "helped": "▲ helped"}


@dataclass(frozen=True)
class ShownHidden:
    """A test example that transfer loses, as the page shows it.

    Attributes:
        example: its number and the answers.
        text: its beginning; "" for an image.
        picture: JPEG in base64; "" for a text.
    """

    example: HiddenExample
    text: str
    picture: str


def class_cells(report: Report) -> Cells:
    """Return recall of each class for transfer and primary control, with its interval."""
    found = class_rows(report)
    return Cells(
        f"Recall on test, mean over seeds. {_class_basis(report)}",
        (
            "Number",
            "Class",
            "Test examples",
            "Transfer",
            one_line(report.verdict.baseline),
            "Difference, points",
            "Interval",
            "Outcome",
        ),
        [(str(index), *_class_row(row)) for index, row in enumerate(found)],
        marked=tuple(index for index, row in enumerate(found) if row.harmed),
        text_columns=(1, 7),
    )


def _class_basis(report: Report) -> str:
    verdict = report.verdict
    if not verdict.classes:
        return (
            "Harmed: below the control by more than "
            f"{margin_words(verdict)} (a difference of means, not a test)."
        )
    return (
        "Differences are transfer − control, each with an interval over seeds and test examples; "
        "over all classes together, the chance that any is called helped or harmed while nothing "
        f"differs is {100 * (1 - verdict.confidence):.3g}% at most (Holm's correction)."
    )


def _class_row(row: ClassRow) -> tuple[str, ...]:
    interval, outcome = "", "▼ harmed" if row.harmed else ""
    if row.judged:
        outcome = _SIGNS.get(row.judged.outcome, row.judged.outcome)
        interval = "–"
        if has_interval(row.judged):
            # With two seeds a t-interval reaches far beyond what a difference of shares can be.
            lower, upper = max(row.judged.lower, -1.0), min(row.judged.upper, 1.0)
            interval = f"{points(lower)} to {points(upper)}"
    return (
        one_line(row.name),
        str(row.support),
        percent(row.transfer),
        percent(row.control),
        points(row.transfer - row.control),
        interval,
        outcome,
    )


def harmed_classes(report: Report) -> Cells | None:
    """Return the rows of `class_cells` that are marked, without their number; None if none is."""
    whole = class_cells(report)
    rows = [whole.rows[index][1:] for index in whole.marked]
    return Cells(whole.caption, whole.head[1:], rows, text_columns=(6,)) if rows else None


def hidden_sentence(report: Report) -> str:
    """Return how many test examples transfer loses to the primary control, in words."""
    verdict, found = report.verdict, report.verdict.hidden
    if found is None:
        return "Single test examples were not compared: there are no paired predictions."
    seeds = f"most of the {found.seeds} seeds"
    share, noise = (percent(count / found.examples) for count in (found.lost, found.expected))
    won = percent(found.won / found.examples)
    return (
        f"{found.lost} of {found.examples} test examples ({share}) are answered right by "
        f"“{one_line(verdict.baseline)}” and wrong by transfer in {seeds}. The other way round it "
        f"is {found.won} ({won}). If transfer were only more seeds of that control, each would be "
        f"about {number(found.expected, 1)} ({noise})."
    )


def hidden_cells(report: Report) -> Cells | None:
    """Return the first test examples that transfer loses, the worst first; None without any."""
    found = hidden_examples(report, _SHOWN_EXAMPLES)
    if not found:
        return None
    head: tuple[str, ...] = (
        "Number",
        "Class",
        "Transfer says",
        f"{one_line(report.verdict.baseline)} says",
    )
    rows: list[tuple[str, ...]] = [
        (str(e.number), one_line(e.truth), one_line(e.transfer), one_line(e.control)) for e in found
    ]
    texts = {each.number: one_line(each.text) for each in report.examples if each.text}
    if texts:
        head = (*head, "Text")
        rows = [(*row, texts.get(e.number, "")) for row, e in zip(rows, found, strict=True)]
    return Cells(HIDDEN_CAPTION, head, rows, text_columns=tuple(range(1, len(head))))


def shown_hidden(report: Report) -> list[ShownHidden]:
    """Return the test examples that transfer loses and that the report shows, the worst first."""
    shown = {each.number: each for each in report.examples}
    return [
        ShownHidden(each, one_line(shown[each.number].text), shown[each.number].picture)
        for each in hidden_examples(report, _KEPT_EXAMPLES)
        if each.number in shown
    ]
