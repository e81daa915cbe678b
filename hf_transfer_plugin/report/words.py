"""Numbers and records in plain words."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hf_transfer_plugin.records import ClassVerdict, Phase, Verdict
from hf_transfer_plugin.report.names import one_line
from hf_transfer_plugin.report.settling_words import settle_words

__all__ = [
    "OUTCOME_WORDS",
    "bounds_words",
    "counted",
    "go_words",
    "has_interval",
    "interval_name",
    "interval_words",
    "listed",
    "margin_words",
    "metric_name",
    "number",
    "percent",
    "points",
    "rate_words",
    "schedule_words",
    "seed_words",
    "verdict_sentence",
]

OUTCOME_WORDS = {
    "helped": "Transfer helped",
    "harmed": "Transfer harmed",
    "equivalent": "No practical difference",
    "inconclusive": "Not decided yet",
}
_METRIC_NAMES = {"accuracy": "accuracy", "f1": "F1", "macro_f1": "macro F1", "f1_macro": "macro F1"}


def metric_name(metric: str) -> str:
    """Return how a metric is called in a sentence."""
    return _METRIC_NAMES.get(metric, one_line(metric.replace("_", " ")))


def number(value: float, digits: int = 3) -> str:
    """Return a score with a fixed number of decimals; a dash when there is none."""
    return f"{value:.{digits}f}".replace("-", "−") if math.isfinite(value) else "–"


def percent(value: float, digits: int = 1) -> str:
    """Return a share in [0, 1] as per cent; a dash when there is none."""
    return f"{100 * value:.{digits}f}%" if math.isfinite(value) else "–"


def points(value: float) -> str:
    """Return a signed difference of shares in percentage points, without the unit."""
    if not math.isfinite(value):
        return "–"
    text = f"{100 * value:+.1f}"
    return "0.0" if float(text) == 0 else text.replace("-", "−")


def has_interval(verdict: Verdict | ClassVerdict) -> bool:
    """Return whether the difference has an interval: too few seeds have none."""
    return math.isfinite(verdict.lower) and math.isfinite(verdict.upper)


def interval_words(verdict: Verdict) -> str:
    """Return the interval of a verdict, such as "95% interval +1.0 to +2.0 points"."""
    if not has_interval(verdict):
        return "no interval: too few seeds"
    return f"{interval_name(verdict)} {bounds_words(verdict)} points"


def bounds_words(verdict: Verdict) -> str:
    """Return the bounds of a verdict in points, without level and unit; a dash without interval."""
    if not has_interval(verdict):
        return "–"
    return f"{points(verdict.lower)} to {points(verdict.upper)}"


def interval_name(verdict: Verdict) -> str:
    """Return level and kind of the interval, such as "95% interval"."""
    kind = "anytime-valid interval" if verdict.sequential else "interval"
    if verdict.stop is not None:
        kind = "group-sequential interval"
    return f"{100 * verdict.confidence:.3g}% {kind}"


def margin_words(verdict: Verdict) -> str:
    """Return the margin with its unit, such as "1 point"."""
    size = f"{100 * verdict.margin:g}"
    return "1 point" if size == "1" else f"{size} points"


def counted(count: int, noun: str) -> str:
    """Return a number with its noun, such as "1 seed" or "2 seeds"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def listed(names: Sequence[str]) -> str:
    """Return one or more names such as "a", "a and b" or "a, b and c"."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def seed_words(count: int) -> str:
    """Return how many pairs of runs a verdict rests on."""
    return counted(count, "paired seed")


def verdict_sentence(verdict: Verdict) -> str:
    """Return WHEN in one or two sentences, naming the control."""
    control = f"the control “{one_line(verdict.baseline)}”"
    size = f"{abs(100 * verdict.difference):.1f} points of {metric_name(verdict.metric)}"
    basis = f"({interval_words(verdict)}; {seed_words(verdict.seeds)})"
    side = "above" if verdict.difference >= 0 else "below"
    match verdict.outcome:
        case "helped":
            return f"Transfer helped: it is {size} better than {control} {basis}."
        case "harmed":
            return f"Transfer harmed: it is {size} worse than {control} {basis}."
        case "equivalent":
            return (
                f"Transfer makes no practical difference: it is {size} {side} {control}, and the "
                f"interval lies within ±{margin_words(verdict)} {basis}."
            )
    if not has_interval(verdict):
        return f"It is not decided whether transfer helps: it is {size} {side} {control} {basis}."
    return (
        f"It is not decided whether transfer helps: it is {size} {side} {control}, but the "
        f"interval leaves both open {basis}. {settle_words(verdict)}"
    )


def go_words(verdict: Verdict) -> str:
    """Return the recommendation that follows from a verdict."""
    margin = margin_words(verdict)
    if verdict.go:
        return f"Go: harm of more than {margin} is ruled out."
    return f"No go: harm of more than {margin} is not ruled out."


def _selector_words(selector: str) -> str:
    """Return which layers a selector of a phase means."""
    if selector.startswith("base:"):
        return f"{_selector_words(selector.removeprefix('base:'))} under adapters"
    if selector == "*":
        return "all layers"
    if selector in ("head", "top:0"):
        return "the head"
    kind, _, count = selector.partition(":")
    if kind in ("top", "bottom") and count.isdigit():
        end, place = ("head", "last") if kind == "top" else ("input", "first")
        if count == "0":
            return f"the {end}"
        layers = "layer" if count == "1" else counted(int(count), "layer")
        return f"the {end} and the {place} {layers}"
    return f"layers “{one_line(selector)}”"


def rate_words(rate: float) -> str:
    """Return a rate factor in words."""
    return "the full learning rate" if rate == 1 else f"{rate:.3g} times the learning rate"


def _choice_words(phase: Phase) -> str:
    """Return what a draw or a measurement decides in a phase; empty when there is none."""
    choice = phase.choose
    if choice is None:
        return ""
    if choice.by == "random":
        return counted(choice.layers or 0, "random layer")
    if choice.by == "signal_to_noise":
        return f"the best {100 * (choice.share or 1.0):.3g}% of the matrices"
    if choice.by == "settled_gradient":
        return "fewer as gradients settle"
    return "each layer by its relative gradient"


def _what_words(phase: Phase) -> str:
    """Return what trains in a phase."""
    selected = " and ".join(_selector_words(selector) for selector in phase.train) or "nothing"
    if phase.choose is None:
        return selected
    if phase.choose.by == "random":
        every = counted(phase.choose.every or 1, "step")
        return f"{selected} and {_choice_words(phase)}, drawn anew every {every}"
    joined = " and " if phase.choose.by == "signal_to_noise" else ", "
    return f"{selected}{joined}{_choice_words(phase)}"


def _rates_words(phase: Phase) -> str:
    """Return what a phase does to the rate beside its factor."""
    parts = [f"{_selector_words(s)} at {rate_words(r)}" for s, r in phase.rates.items()]
    if phase.decay != 1:
        parts.append(f"times {phase.decay:.3g} for each layer down")
    if phase.curve:
        warm = f" with {100 * phase.warmup:.3g}% warm-up" if phase.warmup else ""
        parts.append(f"in a {phase.curve.replace('_', ' ')} curve of its own{warm}")
    return "".join(f", {part}" for part in parts)


def _until_words(phase: Phase, last: bool) -> str:
    fixed = ""
    if phase.until_fraction is not None:
        fixed = f"until {100 * phase.until_fraction:.3g}% of training"
    elif phase.until_step is not None:
        fixed = f"until step {phase.until_step}"
    elif phase.until_epoch is not None:
        fixed = f"until epoch {phase.until_epoch:g}"
    if last or not (fixed or phase.until_plateau):
        return "to the end"
    if phase.until_plateau is None:
        return fixed
    plateau = f"until {counted(phase.until_plateau, 'evaluation')} without improvement"
    return f"{plateau}, at the latest {fixed}" if fixed else plateau


def schedule_words(schedule: tuple[Phase, ...]) -> list[str]:
    """Return one sentence for each phase of a schedule."""
    sentences = []
    for index, phase in enumerate(schedule):
        until = _until_words(phase, last=index == len(schedule) - 1)
        what = _what_words(phase)
        name = f" ({one_line(phase.name)})" if phase.name else ""
        start = "From the first step" if index == 0 else "Then"
        rates = f"{rate_words(phase.rate)}{_rates_words(phase)}"
        sentences.append(f"{start} {until}{name}: {what}, at {rates}.")
    return sentences
