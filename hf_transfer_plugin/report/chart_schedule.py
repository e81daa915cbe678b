"""HOW: which layer groups trained when, and at which rate, in the run that is kept."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import accumulate, groupby, pairwise

from hf_transfer_plugin.records import Phase, Report, RunResult
from hf_transfer_plugin.report.canvas import GREY, Chart, new_figure, png
from hf_transfer_plugin.report.evidence import kept_seed
from hf_transfer_plugin.report.names import one_line
from hf_transfer_plugin.report.rate_colors import short_rate
from hf_transfer_plugin.report.timeline import Band, draw_timeline

__all__ = ["schedule_chart"]

_TITLE = "Freezing schedule"
_BASE = "base:"
# Phases that the text for those who do not see the picture names at its beginning and its end.
_FIRST_TOLD, _LAST_TOLD = 8, 2
_MOST_TOLD_SPANS = 4


def schedule_chart(report: Report) -> Chart:
    """Draw layer groups over optimizer steps as they trained; colour is the learning rate."""
    result = report.transfer
    bands = _bands(result)
    if not bands:
        return _empty_chart(result)
    trained = {group for band in bands for group in band.rates}
    figure = draw_timeline(
        _rows(result.groups, trained), bands, along="optimizer step", rate="peak learning rate"
    )
    return Chart(_TITLE, _caption(result, bands), _alt(result, bands), png(figure))


def _empty_chart(result: RunResult) -> Chart:
    trained = kept_seed(result).steps > 0
    what = "not recorded" if trained else "no network was trained"
    figure, (axes,) = new_figure(1.6)
    axes.set_axis_off()
    axes.text(0.5, 0.5, what, transform=axes.transAxes, ha="center", va="center", color=GREY)
    caption = (
        "This result was made before results held which layer groups trained: run the plan again."
        if trained
        else "There are no layers to freeze: no network was trained."
    )
    return Chart(_TITLE, caption, f"Empty timeline of layer groups: {what}.", png(figure))


def _bands(result: RunResult) -> list[Band]:
    """Return the stretches of the kept run in which the same layer groups trained."""
    kept = kept_seed(result)
    made = [each for each in result.transitions if result.groups and each.step < kept.steps]
    ends = [*(transition.step for transition in made[1:]), kept.steps]
    bands: list[Band] = []
    last = -1
    for transition, end in zip(made, ends, strict=False):
        if transition.step >= end:
            continue
        rates = {
            group: kept.learning_rate * factor
            for group, factor in transition.factors.items()
            if factor > 0
        }
        name = _phase_name(result.plan.schedule, transition.phase)
        goes_on = transition.phase == last
        bands.append(Band(name, transition.step, end, rates, goes_on=goes_on))
        last = transition.phase
    return bands


def _phase_name(schedule: Sequence[Phase], index: int) -> str:
    phase = schedule[index] if index < len(schedule) else None
    named = phase and (phase.name or " ".join(phase.train))
    return one_line(named or f"phase {index}")


def _rows(groups: Sequence[str], trained: Collection[str]) -> list[tuple[str, str]]:
    """Return key and name of each row, head on top; base weights when they ever trained."""
    rows = []
    for group in reversed([name for name in groups if not name.startswith(_BASE)]):
        rows.append((group, group))
        if _BASE + group in trained:
            rows.append((_BASE + group, f"{group}, under adapters"))
    return rows


def _caption(result: RunResult, bands: Sequence[Band]) -> str:
    sentences = [
        f"What trained in the run whose weights are kept (seed {result.best_seed}), step by step. "
        "A row is a layer group, the input at the bottom. Colour: its highest learning rate, "
        "before warm-up and decay (darker is faster). Grey: frozen."
    ]
    schedule = result.plan.schedule
    reached = {each.phase for each in result.transitions if each.step < bands[-1].end}
    if len(reached) > 1:
        sentences.append("Dashed lines divide the phases.")
    for index, phase in enumerate(schedule):
        name = _phase_name(schedule, index)
        if index not in reached:
            sentences.append(f"“{name}” was not reached.")
        elif phase.choose is not None and phase.choose.by == "signal_to_noise":
            share = f"{100 * (phase.choose.share or 1.0):.3g}%"
            sentences.append(
                f"In “{name}” only the best {share} of the matrices trained in groups that it "
                "does not select as a whole."
            )
        elif phase.choose is not None and phase.choose.by == "relative_gradient":
            sentences.append(f"In “{name}” measurements lowered the rates further.")
    return " ".join(sentences)


def _alt(result: RunResult, bands: Sequence[Band]) -> str:
    told = [_phase_words(part, result.groups) for part in _by_phase(bands)]
    left = len(told) - _FIRST_TOLD - _LAST_TOLD
    if left > 1:
        told[_FIRST_TOLD : _FIRST_TOLD + left] = [f"{left} more phases."]
    steps = f"{bands[-1].end:,.0f} optimizer steps of seed {result.best_seed}"
    return f"Timeline of layer groups over the {steps}. {' '.join(told)}"


def _by_phase(bands: Sequence[Band]) -> Iterator[list[Band]]:
    numbers = accumulate(not band.goes_on for band in bands)
    for _, pairs in groupby(zip(numbers, bands, strict=True), key=lambda pair: pair[0]):
        yield [band for _, band in pairs]


def _phase_words(part: Sequence[Band], groups: Sequence[str]) -> str:
    """Return what trained in a phase, in one sentence."""
    rates = sorted(rate for band in part for rate in band.rates.values())
    at = f" at {_span(short_rate(rates[0]), short_rate(rates[-1]))}" if rates else ""
    first, last = (_groups_words(band.rates, groups) for band in (part[0], part[-1]))
    what = f"{first}{at}"
    changes = sum(one.rates != other.rates for one, other in pairwise(part))
    if changes:
        counts = sorted(len(band.rates) for band in part)
        what = (
            f"{_span(str(counts[0]), str(counts[-1]))} of {len(groups)} groups at a time{at}, "
            f"changed {'once' if changes == 1 else f'{changes} times'}, "
            f"at first {first}, at last {last}"
        )
    return f"Step {part[0].start:,.0f} to {part[-1].end:,.0f} (“{part[0].name}”): {what}."


def _span(first: str, last: str) -> str:
    return first if first == last else f"{first} to {last}"


def _groups_words(trained: Collection[str], groups: Sequence[str]) -> str:
    """Return layer groups in few words: neighbours as first to last."""
    spans = []
    for is_base in (False, True):
        every = [group for group in groups if group.startswith(_BASE) is is_base]
        for trains, members in groupby(every, key=lambda group: group in trained):
            names = [one_line(group.removeprefix(_BASE)) for group in members]
            if trains:
                spans.append(_span(names[0], names[-1]) + " under adapters" * is_base)
    if not spans:
        return "nothing"
    if len(spans) > _MOST_TOLD_SPANS:
        return f"{len(trained)} of {len(groups)} groups"
    return ", ".join(spans)
