"""The card of a model that learned one task among several."""

from __future__ import annotations

from hf_transfer_plugin.multitask_records import MultitaskReport
from hf_transfer_plugin.records import Verdict
from hf_transfer_plugin.report.metadata import Published
from hf_transfer_plugin.report.names import display_name, hub_model, one_line
from hf_transfer_plugin.report.public import public_record
from hf_transfer_plugin.report.rows import Cells
from hf_transfer_plugin.report.short_card import ShortCard, short_card
from hf_transfer_plugin.report.use_words import pipeline_snippet
from hf_transfer_plugin.report.words import (
    bounds_words,
    interval_name,
    interval_words,
    listed,
    metric_name,
    percent,
    points,
    seed_words,
)

__all__ = ["TASKS_PLOT", "task_card", "task_files"]

_PLOT = "tasks"
#: The picture of a run, and of each card, below its folder.
TASKS_PLOT = f"plots/{_PLOT}.png"
_OUTCOMES = {
    "helped": "Training together helped",
    "harmed": "Training together harmed",
    "equivalent": "Training together makes no practical difference",
    "inconclusive": "It is not decided whether training together helps",
}


def task_files(report: MultitaskReport, picture: bytes) -> dict[str, bytes]:
    """Return the files beside the weights of each model: its card and the picture.

    Args:
        report: what the run gave.
        picture: of all tasks, a PNG.

    Returns:
        Path WAY/TASK/NAME with forward slashes -> content.
    """
    found = {}
    for way in report.verdicts:
        for task in report.data:
            found[f"{way}/{task}/README.md"] = task_card(report, way, task).encode()
            found[f"{way}/{task}/{TASKS_PLOT}"] = picture
    return found


def task_card(report: MultitaskReport, way: str, task: str) -> str:
    """Return the card of models/WAY/TASK: front matter and Markdown, fit for the Hub.

    Args:
        report: what the run gave.
        way: how the tasks were trained together.
        task: the task of this model.
    """
    report = public_record(report)
    verdict, data = report.verdicts[way][task], report.data[task]
    kept = report.kept[way]
    metric = metric_name(verdict.metric)
    base = hub_model(report.checkpoint)
    name = base or display_name(report.checkpoint)
    others = [one_line(other) for other in report.data if other != task]
    return short_card(
        ShortCard(
            model=Published(
                title=f"{report.title}: {task}",
                task=report.task,
                base=base,
                spec=report.specs[task],
                test=kept.test[task],
                license=report.licenses.get("checkpoint"),
            ),
            first=_first(verdict),
            results=_cells(report, task),
            published=f"The weights published here are those of way {way}, seed {kept.seed}, whose "
            f"mean validation over the tasks is best; their own test {metric} is "
            f"{percent(kept.test[task][verdict.metric])}, which is the figure in the metadata.",
            plot=_PLOT,
            alt=f"Validation {metric} over the epochs, a panel for each task: alone, and in each "
            "way of training them together.",
            limits=[
                f"It was tested on {sum(data.counts['test']):,} examples like those it was trained "
                "on; elsewhere it may do worse.",
                *_harm(report, way),
            ],
            snippet=pipeline_snippet(
                report.task, task, "the folder of this file, or its name on the Hub"
            ),
            learned_from=[
                f"{display_name(data.path)}, and beside it the task{'s' * (len(others) > 1)} "
                f"{listed(others)} on the same network.",
                f"Weights of {name}.",
            ],
            data=data,
            command=report.command,
            environment=report.environment,
            created=report.created,
        )
    )


def _first(verdict: Verdict) -> str:
    return (
        f"{_OUTCOMES[verdict.outcome]}: this task is at "
        f"{percent(verdict.transfer_mean)} test {metric_name(verdict.metric)}, alone at "
        f"{percent(verdict.control_mean)}, {points(verdict.difference)} points "
        f"({interval_words(verdict)}; {seed_words(verdict.seeds)})."
    )


def _harm(report: MultitaskReport, way: str) -> list[str]:
    harmed = report.harmed[way]
    if not harmed:
        return []
    return [f"Training together harmed {listed([one_line(name) for name in harmed])}."]


def _cells(report: MultitaskReport, task: str) -> Cells:
    found = {way: verdicts[task] for way, verdicts in report.verdicts.items()}
    first = next(iter(found.values()))
    rows: list[tuple[str, ...]] = [("alone", percent(first.control_mean), "", "", "")]
    rows += [
        (
            one_line(way),
            percent(each.transfer_mean),
            points(each.difference),
            bounds_words(each),
            each.outcome,
        )
        for way, each in found.items()
    ]
    return Cells(
        f"This task on a network of its own, and in each way of training the tasks together, over "
        f"{seed_words(first.seeds)}. Differences are to the task alone, in points.",
        (
            "Way",
            f"Test {metric_name(first.metric)}, mean",
            "Difference",
            interval_name(first),
            "Outcome",
        ),
        rows,
        text_columns=(4,),
    )
