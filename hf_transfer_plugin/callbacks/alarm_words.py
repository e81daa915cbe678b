"""The diagnosis of an alarm in plain words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hf_transfer_plugin.decide.alarm_rules import Evaluated, Finding

__all__ = ["USUAL_RATE", "Setting", "diagnosis"]

#: Of full fine-tuning; the default of `transformers.TrainingArguments`.
USUAL_RATE = 5e-5
_WORTH_SAYING = 10.0


@dataclass(frozen=True)
class Setting:
    """What a diagnosis knows of a run.

    Attributes:
        metric: name of the metric that is watched.
        patience: evaluations that raised the alarm.
        learning_rate: peak rate of the run.
        class_names: of the classes, where the model knows them.
    """

    metric: str
    patience: int
    learning_rate: float
    class_names: Sequence[str] = ()


def diagnosis(finding: Finding, step: int, last: Evaluated | None, setting: Setting) -> str:
    """Return one sentence: what was seen for how long, and what is unusual about the run.

    Args:
        finding: what a rule has found.
        step: at which step.
        last: the last evaluation, if there was one.
        setting: of the run.
    """
    kind, value = finding.kind, finding.value
    for_long = _evaluations(setting.patience, step - finding.since)
    if kind == "collapse" and last is not None:
        said = f"{_collapse(last, setting)} for the last {for_long}"
    elif kind == "non_finite":
        said = f"the loss or its gradient is {value} at step {step}"
    elif kind == "exploding":
        said = f"the gradient norm is {value:.3g}, {value / finding.expected:.0f}x the usual "
        said += f"{finding.expected:.3g}"
    elif kind == "vanishing":
        said = f"the gradient is {value:.1g} since step {finding.since}: no weight moves"
    else:
        best = "" if kind == "below_bar" else "best "
        other = f"the control's {best}" if best else "the frozen probe's "
        said = f"{best}validation {setting.metric} {value:.3f} is below {other}"
        said += f"{finding.expected:.3f}"
        said += f" for the last {for_long}"
    return said + _rate(setting.learning_rate)


def _evaluations(count: int, steps: int) -> str:
    return f"{count} evaluation{'s' if count > 1 else ''} ({steps} steps)"


def _collapse(last: Evaluated, setting: Setting) -> str:
    names = setting.class_names
    known = 0 <= last.largest < len(names)
    name = names[last.largest] if known else f"class {last.largest}"
    if last.share == 1.0:
        said = f"one class predicted ({name}, all of {last.rows} rows"
    else:
        classes = math.exp(last.entropy)
        said = (
            f"about {classes:.1f} classes predicted ({name}: {last.share:.0%} of {last.rows} rows"
        )
    if not math.isnan(last.label_share):
        said += f"; the largest class has {last.label_share:.0%} of the labels"
    return said + ")"


def _rate(rate: float) -> str:
    if rate < _WORTH_SAYING * USUAL_RATE:
        return ""
    times = rate / USUAL_RATE
    return f"; learning rate {_power(rate)} is {times:.0f}x the usual {_power(USUAL_RATE)}"


def _power(number: float) -> str:
    mantissa, _, exponent = f"{number:.2e}".partition("e")
    return f"{float(mantissa):g}e{int(exponent)}"
