"""What a watch for negative transfer was asked for, checked before training."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, cast, get_args

from torch import nn

from hf_transfer_plugin.alarms import AlarmAction
from hf_transfer_plugin.decide.alarm_rules import mean_curve
from hf_transfer_plugin.decide.checks import check_margin
from hf_transfer_plugin.errors import ConfigError, did_you_mean
from hf_transfer_plugin.records import RunResult, SeedResult

__all__ = ["Control", "ProbeData", "WatchOptions"]

Control = RunResult | Mapping[Any, float]
Probe = Callable[[nn.Module], float]
ProbeData = Mapping[str, Probe] | tuple[Any, Callable[[nn.Module, Any], float]]


@dataclass(frozen=True)
class WatchOptions:
    """The arguments of `NegativeTransferCallback`, in one form each.

    Attributes:
        control: step -> metric of the control.
        bar: metric of a linear probe on frozen features, or None.
        margin: difference that is worth an alarm.
        action: what an alarm does.
        patience: evaluations in a row that raise an alarm.
        metric: name of the metric, without "eval_"; None: that of the best checkpoint.
        probes: name -> what measures what must not be forgotten.
        drift: measure how far weights and features have moved.
    """

    control: Mapping[float, float]
    bar: float | None
    margin: float
    action: AlarmAction
    patience: int
    metric: str | None
    probes: Mapping[str, Probe]
    drift: bool

    @classmethod
    def of(
        cls,
        control: Control | None,
        bar: float | RunResult | None,
        margin: float,
        action: str,
        patience: int,
        metric: str | None,
        probe_data: ProbeData | None,
        drift: bool,
    ) -> WatchOptions:
        """Check the arguments.

        Raises:
            ConfigError: naming the argument that does not fit.
        """
        check_margin(margin)
        actions = get_args(AlarmAction)
        if action not in actions:
            raise ConfigError(
                arrived=f"action={action!r}{did_you_mean(str(action), actions)}",
                expected=" or ".join(map(repr, actions)),
                action='use "warn" to be told and nothing else',
            )
        if type(patience) is not int or patience < 1:
            raise ConfigError(
                arrived=f"patience={patience!r}",
                expected="a number of evaluations in a row, 1 or more",
                action="leave patience out for the default of 3",
            )
        metric = metric.removeprefix("eval_") if metric else None
        for name, given in (("control", control), ("bar", bar)):
            if isinstance(given, RunResult):
                metric = _metric_of(given, name, metric)
        return cls(
            control=_curve(control),
            bar=_bar(bar),
            margin=float(margin),
            action=cast(AlarmAction, action),
            patience=patience,
            metric=metric,
            probes=_probes(probe_data),
            drift=drift,
        )

    def to_state(self) -> dict[str, Any]:
        """Return the arguments as JSON, without the probes, which are code."""
        return {
            "control": {str(step): value for step, value in self.control.items()} or None,
            "bar": self.bar,
            "margin": self.margin,
            "action": self.action,
            "patience": self.patience,
            "metric": self.metric,
            "drift": self.drift,
        }


def _metric_of(result: RunResult, name: str, metric: str | None) -> str:
    own = result.plan.metric
    if metric is not None and metric != own:
        raise ConfigError(
            arrived=f"the {name} ({result.plan.name}) was judged by {own}, this run by {metric}",
            expected="one metric for both",
            action=f'pass metric="{own}", or a {name} that was measured by {metric}',
        )
    return own


def _curve(control: Control | None) -> dict[float, float]:
    if control is None:
        return {}
    if isinstance(control, RunResult):
        longest = max(seed.steps for seed in control.seeds)
        curves = [_held(seed, control.plan.metric, longest) for seed in control.seeds]
        found = mean_curve([curve for curve in curves if curve])
        if not found:
            raise ConfigError(
                arrived=f"the control {control.plan.name} has no learning curve",
                expected="a control that was trained step by step and evaluated on the way",
                action='pass the result of "from-scratch"; a baseline may be passed as bar',
            )
        return found
    try:
        found = {float(step): float(value) for step, value in control.items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise _bad_curve(f"control cannot be read: {error}") from None
    if not found:
        raise _bad_curve("control is empty")
    if not all(map(math.isfinite, (*found, *found.values()))):
        raise _bad_curve("control holds numbers that are not finite")
    return found


def _held(seed: SeedResult, metric: str, longest: int) -> dict[float, float]:
    """Return the curve of a seed; one that ended early stays as good as its weights are."""
    points: dict[float, float] = {point.step: point.validation for point in seed.curve}
    if points and seed.steps < longest:
        points |= dict.fromkeys((seed.steps, longest), seed.validation[metric])
    return points


def _bad_curve(arrived: str) -> ConfigError:
    return ConfigError(
        arrived=arrived,
        expected="a RunResult, or a mapping from optimizer step to validation metric",
        action="take eval_METRIC and step from the log_history of the control's Trainer",
    )


def _bar(bar: float | RunResult | None) -> float | None:
    if isinstance(bar, RunResult):
        values = [seed.validation[bar.plan.metric] for seed in bar.seeds]
        return sum(values) / len(values)
    if bar is None:
        return None
    if isinstance(bar, bool) or not isinstance(bar, int | float) or not math.isfinite(bar):
        raise ConfigError(
            arrived=f"bar={bar!r}",
            expected="the validation metric of a linear probe, or its RunResult",
            action="train FreezingSchedule.linear_probe() and pass what it reached",
        )
    return float(bar)


def _probes(given: ProbeData | None) -> dict[str, Probe]:
    if given is None:
        return {}
    if isinstance(given, Mapping) and all(map(callable, given.values())):
        return dict(given)
    if isinstance(given, tuple) and len(given) == 2 and callable(given[1]):
        data, measure = given
        return {"probe": partial(_measured, measure, data)}
    raise ConfigError(
        arrived=f"probe_data is a {type(given).__name__}: {given!r:.80}",
        expected="(data, metric(model, data) -> float), or a mapping name -> metric(model)",
        action="wrap the evaluation of the old task into one function that returns a number",
    )


def _measured(measure: Callable[[nn.Module, Any], float], data: Any, model: nn.Module) -> float:
    return measure(model, data)
