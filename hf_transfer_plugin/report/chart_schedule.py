"""HOW: which layers train when, and at which rate."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from hf_transfer_plugin.records import Phase, Report
from hf_transfer_plugin.report.canvas import Chart, png
from hf_transfer_plugin.report.evidence import kept_seed
from hf_transfer_plugin.report.timeline import Band, draw_timeline
from hf_transfer_plugin.report.words import choice_words, schedule_words, selector_words

__all__ = ["boundaries", "covers", "schedule_chart"]

_BASE = "base:"


def _top(selector: str) -> int | None:
    if selector == "head":
        return 0
    kind, _, count = selector.partition(":")
    return int(count) if kind == "top" and count.isdigit() else None


def covers(chosen: str, selector: str) -> bool:
    """Return whether the layers of `selector` are certain to be among those of `chosen`.

    Example:
        >>> covers("*", "top:2"), covers("top:2", "head"), covers("layer.1*", "layer.11")
        (True, True, True)
        >>> covers("head", "top:2"), covers("*", "base:head")
        (False, False)
    """
    if chosen.startswith(_BASE) != selector.startswith(_BASE):
        return False
    chosen, selector = chosen.removeprefix(_BASE), selector.removeprefix(_BASE)
    if chosen == selector or chosen == "*":
        return True
    outer, inner = _top(chosen), _top(selector)
    if outer is not None and inner is not None:
        return outer >= inner
    if ":" in chosen or ":" in selector:
        # What lies before the first layer is not after the last one; more is not known here.
        return False
    return fnmatchcase(selector, chosen) and not any(sign in selector for sign in "*?[")


def boundaries(schedule: Sequence[Phase], total_steps: int, epochs: float = 0.0) -> list[float]:
    """Return where each phase ends, at the latest, as a share of training, never decreasing.

    Phases that wait for a plateau and have no latest end share what is left equally, with what
    follows them: results do not say when a plateau was reached.

    Args:
        schedule: the phases, first to last.
        total_steps: optimizer steps of the run, to place ends that are given in steps.
        epochs: of the run, to place ends that are given in epochs.
    """
    ends: list[float] = []
    for index, phase in enumerate(schedule):
        before, left = ends[-1] if ends else 0.0, len(schedule) - index
        if left == 1:
            end = 1.0
        elif phase.until_fraction is not None:
            end = phase.until_fraction
        elif phase.until_step is not None and total_steps > 0:
            end = phase.until_step / total_steps
        elif phase.until_epoch is not None and epochs > 0:
            end = phase.until_epoch / epochs
        else:
            end = before + (1 - before) / left
        ends.append(max(min(end, 1.0), before))
    return ends


def schedule_chart(report: Report) -> Chart:
    """Draw phases along training and selectors as rows; colour is the learning rate."""
    transfer = report.transfer
    schedule = transfer.plan.schedule
    longest = max(transfer.seeds, key=lambda seed: seed.steps, default=None)
    steps = longest.steps if longest is not None else 0
    last = longest.curve[-1].epoch if longest is not None and longest.curve else 0.0
    ends = boundaries(schedule, steps, last)
    peak = kept_seed(transfer).learning_rate
    rows = _rows(schedule)
    figure = draw_timeline(
        list(rows.items()),
        _bands(schedule, ends, list(rows), peak or 1.0),
        along="share of training",
        rate="peak learning rate" if peak else "factor on the learning rate",
        along_text=lambda value: f"{100 * value:g}%",
        empty="frozen, or trained only in part",
    )
    caption = (
        "Coloured: these layers train, at no more than that learning rate (darker is faster). "
        "Grey: frozen, or trained only in part."
    )
    if any(phase.until_plateau is not None or phase.choose is not None for phase in schedule):
        caption += (
            " Hatched: a draw, a measurement or validation decided while training; ends on a "
            "plateau are drawn where they lie at the latest, or equally far apart."
        )
    alt = f"Timeline of the schedule. {' '.join(schedule_words(schedule))}"
    return Chart("Freezing schedule", caption, alt, png(figure))


def _rows(schedule: Sequence[Phase]) -> dict[str, str]:
    """Return what is drawn as a row -> its name; selectors, and layers that are chosen."""
    rows = {selector: selector_words(selector) for p in schedule for selector in p.train}
    for phase in schedule:
        if _chosen(phase):
            rows[_chosen(phase)] = choice_words(phase)
    return rows


def _chosen(phase: Phase) -> str:
    """Return a key for the layers that train beside those that a phase selects."""
    beside = phase.choose is not None and phase.choose.by in ("random", "signal_to_noise")
    return f"chosen {choice_words(phase)}" if beside else ""


def _bands(
    schedule: Sequence[Phase], ends: Sequence[float], rows: Sequence[str], peak: float
) -> list[Band]:
    bands: list[Band] = []
    waits = False
    for index, (phase, end) in enumerate(zip(schedule, ends, strict=True)):
        trained = [
            row
            for row in rows
            if row == _chosen(phase) or any(covers(chosen, row) for chosen in phase.train)
        ]
        beside = _chosen(phase)
        uncertain = [beside] if beside else trained if phase.choose is not None else []
        bands.append(
            Band(
                phase.name or f"phase {index + 1}",
                ends[index - 1] if index else 0.0,
                end,
                {row: peak * _factor(phase, row) for row in trained},
                uncertain,
                is_open=waits or phase.until_plateau is not None,
            )
        )
        waits = phase.until_plateau is not None
    return bands


def _factor(phase: Phase, row: str) -> float:
    """Return the highest factor on the rate that is certain for a row."""
    own = [rate for selector, rate in phase.rates.items() if covers(selector, row)]
    return phase.rate * (own[0] if own else 1.0)
