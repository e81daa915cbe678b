"""A card of a run that has no report: of few labels, and of one task among several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hf_transfer_plugin.records import DataSummary
from hf_transfer_plugin.report import markdown
from hf_transfer_plugin.report.metadata import Published, front_matter
from hf_transfer_plugin.report.page import templates
from hf_transfer_plugin.report.rows import Cells, data_cells
from hf_transfer_plugin.report.use_words import CLOSED_CLASSES, SHOWN_CLASSES, use_words

__all__ = ["ShortCard", "short_card"]


@dataclass(frozen=True)
class ShortCard:
    """What stands in such a card.

    Attributes:
        model: what its front matter says.
        first: the result, in a sentence.
        results: the table under it.
        published: which weights these are, and how good they themselves are.
        plot: name of the picture, in plots/.
        alt: what it shows.
        limits: what a user must know, beside the closed set of classes.
        snippet: lines that load and use the model.
        learned_from: sentences on the data.
        data: their classes and counts.
        command: that repeats the run.
        environment: package or machine property -> value.
        created: when it ran.
    """

    model: Published
    first: str
    results: Cells
    published: str
    plot: str
    alt: str
    limits: Sequence[str]
    snippet: str
    learned_from: Sequence[str]
    data: DataSummary
    command: str
    environment: Mapping[str, str]
    created: str


def short_card(card: ShortCard) -> str:
    """Return front matter and Markdown; what comes from data and names stays text in it."""
    data = data_cells(card.data)
    body = (
        templates()
        .get_template("short_card.md.j2")
        .render(
            md=markdown.escape,
            table=markdown.table,
            fenced=markdown.fenced,
            title=card.model.title,
            first=card.first,
            results=card.results,
            published=card.published,
            plot=card.plot,
            alt=card.alt,
            use=use_words(card.model.task, card.data.class_names),
            limits=[CLOSED_CLASSES, *card.limits],
            snippet=card.snippet,
            data=[*card.learned_from, *card.data.warnings],
            data_table=data if len(card.data.class_names) <= SHOWN_CLASSES else None,
            command=card.command,
            environment=card.environment,
            created=card.created,
        )
    )
    return f"---\n{front_matter(card.model).to_yaml()}\n---\n\n{body}"
