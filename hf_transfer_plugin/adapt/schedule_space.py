"""A space of freezing schedules to search: names with ranges, and the schedule of one draw."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Self

from hf_transfer_plugin.adapt.schedule_reading import fail_unknown
from hf_transfer_plugin.adapt.schedule_state import BASE
from hf_transfer_plugin.adapt.schedules import FreezingSchedule
from hf_transfer_plugin.errors import ScheduleError

if TYPE_CHECKING:
    from optuna.trial import BaseTrial

__all__ = ["ScheduleSpace"]

_NAME = "schedule"
Pick = Callable[[str, Mapping[str, Any]], Any]


@dataclass(frozen=True)
class ScheduleSpace:
    """Schedules among which a search chooses, each with ranges for its arguments.

    A schedule is written as for `FreezingSchedule.from_config`. In place of a value stands a
    range, `{"low": 0.1, "high": 0.5}` (with `"log": True` or `"step"`, as Optuna takes them; whole
    numbers when both ends are), or `{"choices": [...]}`. A draw has the parameters `schedule` and
    `NAME.ARGUMENT`, such as `lp_ft.fraction`.

    Examples:
        >>> space = ScheduleSpace(
        ...     {
        ...         "full": {"name": "full", "decay": {"low": 0.5, "high": 1.0}},
        ...         "lp_ft": {"name": "lp_ft", "fraction": {"low": 0.1, "high": 0.5}},
        ...     }
        ... )
        >>> space.schedule({"schedule": "lp_ft", "lp_ft.fraction": 0.25}).boundaries(8)
        ((0, 2), (2, 8))

    Attributes:
        choices: name in the search -> schedule with ranges.

    Raises:
        ScheduleError: for an empty space, a range without both ends, a schedule that cannot be
            built from the lower ends, or one that trains weights under adapters: they are thawed
            when the Trainer is built, before any trial.
    """

    choices: Mapping[str, Mapping[str, Any]]

    def __post_init__(self) -> None:
        """Build each schedule once, so that a mistake shows before the first trial."""
        if not self.choices:
            raise ScheduleError("a space without schedules", "at least one", "name one")
        for name in self.choices:
            schedule = self._built(name, _lowest)
            trained = (selector for phase in schedule.phases for selector in phase.train)
            if any(selector.startswith(BASE) for selector in trained):
                raise ScheduleError(
                    f"{name} trains weights under adapters ({BASE}...)",
                    "schedules of the network or of its adapters: a search draws them after the "
                    "Trainer is built, when such weights can no longer be thawed",
                    "leave it out of the search",
                )

    @classmethod
    def common(cls, layers: int) -> Self:
        """Return full fine-tuning, LP-FT, the top layers alone, and gradual unfreezing.

        Args:
            layers: layers of the network.
        """
        return cls(
            {
                "full": {"name": "full", "decay": {"low": 0.5, "high": 1.0}},
                "lp_ft": {"name": "lp_ft", "fraction": {"low": 0.1, "high": 0.6}},
                "top_layers": {"name": "top_layers", "n": {"low": 0, "high": layers}},
                "gradual_unfreezing": {
                    "name": "gradual_unfreezing",
                    "layers": {"low": 1, "high": layers},
                    "decay": {"low": 0.5, "high": 1.0},
                },
            }
        )

    def hp_space(self, **arguments: Any) -> Callable[[BaseTrial], dict[str, Any]]:
        """Return what `Trainer.hyperparameter_search(hp_space=)` takes with backend "optuna".

        Args:
            **arguments: argument of TrainingArguments -> range, choices or value, as in `choices`.

        Raises:
            ScheduleError: for an argument that TrainingArguments does not have.
        """
        from transformers import TrainingArguments

        known = [field.name for field in fields(TrainingArguments)]
        for key in arguments:
            if key not in known:
                fail_unknown("argument of TrainingArguments", key, known)
        for key, value in arguments.items():
            _drawn(key, value, _lowest)

        def suggested(trial: BaseTrial) -> dict[str, Any]:
            # What is returned goes to TrainingArguments; the schedule stays in trial.params, which
            # Trainer hands to callbacks as state.trial_params.
            self.suggest(trial)
            return {key: _drawn(key, value, _suggesting(trial)) for key, value in arguments.items()}

        return suggested

    def suggest(self, trial: BaseTrial) -> FreezingSchedule:
        """Draw a schedule with an Optuna trial, for a loop of your own."""
        name = trial.suggest_categorical(_NAME, list(self.choices))
        return self._built(str(name), _suggesting(trial))

    def schedule(self, parameters: Mapping[str, Any]) -> FreezingSchedule:
        """Return the schedule of a draw.

        Args:
            parameters: of a trial, or `best_run.hyperparameters`.

        Raises:
            ScheduleError: for parameters that were not drawn from this space.
        """
        name = parameters.get(_NAME)
        if name not in self.choices:
            raise ScheduleError(
                f"parameters with the schedule {name!r}" if name else "parameters without schedule",
                f"one of the space: {', '.join(self.choices)}",
                "give hyperparameter_search hp_space=space.hp_space(...) of the same space",
            )

        def pick(key: str, _: Mapping[str, Any]) -> Any:
            if key not in parameters:
                raise ScheduleError(
                    f"parameters without {key}", "all of a draw from this space", "draw it anew"
                )
            return parameters[key]

        return self._built(str(name), pick)

    def arguments(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return what of a draw belongs to TrainingArguments."""
        own = tuple(f"{name}." for name in self.choices)
        return {k: v for k, v in parameters.items() if k != _NAME and not k.startswith(own)}

    def _built(self, name: str, pick: Pick) -> FreezingSchedule:
        config = self.choices[name]
        drawn = {key: _drawn(f"{name}.{key}", value, pick) for key, value in config.items()}
        return FreezingSchedule.from_config(drawn)


def _drawn(key: str, value: Any, pick: Pick) -> Any:
    """Return a value as it is, or what is picked from a range or from choices."""
    if not isinstance(value, Mapping) or not {"low", "high", "choices"} & value.keys():
        return value
    if "choices" in value:
        _check(key, value, {"choices"}, bool(value["choices"]))
        return pick(key, value)
    low, high = value.get("low"), value.get("high")
    fits = isinstance(low, int | float) and isinstance(high, int | float) and low <= high
    truth = isinstance(low, bool) or isinstance(high, bool)
    _check(key, value, {"low", "high", "log", "step"}, fits and not truth)
    return pick(key, value)


def _check(key: str, span: Mapping[str, Any], known: Iterable[str], fits: bool) -> None:
    if not fits or span.keys() - set(known):
        raise ScheduleError(
            f"{key}: {dict(span)!r}",
            "{low: number, high: number} with log or step, low <= high, or {choices: [...]}",
            "correct the range",
        )


def _lowest(_: str, span: Mapping[str, Any]) -> Any:
    return span["choices"][0] if "choices" in span else span["low"]


def _suggesting(trial: BaseTrial) -> Pick:
    def pick(key: str, span: Mapping[str, Any]) -> Any:
        if "choices" in span:
            return trial.suggest_categorical(key, list(span["choices"]))
        whole = isinstance(span["low"], int) and isinstance(span["high"], int)
        suggest: Any = trial.suggest_int if whole else trial.suggest_float
        return suggest(key, **span)

    return pick
