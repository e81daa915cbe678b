"""A mapping to the arguments of a schedule: every surprise is an error."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import Any, NoReturn

from hf_transfer_plugin.errors import ScheduleError, did_you_mean
from hf_transfer_plugin.phases import Choice, Phase

__all__ = ["bound_arguments", "fail_unknown", "phase_from"]


def fail_unknown(what: str, arrived: object, known: Iterable[str]) -> NoReturn:
    """Raise a ScheduleError for an unknown word, with the closest known one."""
    names = sorted(known)
    raise ScheduleError(
        f"unknown {what} {arrived!r}{did_you_mean(str(arrived), names)}",
        f"one of: {', '.join(names)}",
        "use one of these, or remove it",
    )


def phase_from(index: int, data: Phase | Mapping[str, Any]) -> Phase:
    """Return a phase from a record or from its fields.

    Args:
        index: position in the schedule, from 0.
        data: a `Phase`, or a mapping with `train` and any other field of it.

    Raises:
        ScheduleError: for an unknown field, or when `train` is missing.
    """
    if isinstance(data, Phase):
        return data
    if not isinstance(data, Mapping):
        raise ScheduleError(
            f"phase {index} is {data!r}",
            "a Phase, or a mapping such as {train: [head], until_fraction: 0.3}",
            "write the phase as a mapping",
        )
    _check_keys(f"key of phase {index}", data, Phase)
    choose = data.get("choose")
    if isinstance(choose, Mapping):
        _check_keys(f"key of choose in phase {index}", choose, Choice)
        choose = Choice(**{"by": "", **choose})
    return Phase(**{"train": (), **data, "choose": choose})


def _check_keys(what: str, data: Mapping[str, Any], kind: type[Choice] | type[Phase]) -> None:
    known = [field.name for field in fields(kind)]
    for key in data:
        if key not in known:
            fail_unknown(what, key, known)


def bound_arguments(
    name: str,
    constructor: Callable[..., Any],
    given: Mapping[str, Any],
    shared: Iterable[str] = (),
) -> tuple[list[Any], dict[str, Any]]:
    """Return positional and keyword arguments for a constructor.

    Args:
        name: name of the schedule, for errors.
        constructor: its constructor; `*selectors` is given as one list.
        given: argument name -> value.
        shared: what every schedule takes beside its own arguments, for errors.

    Raises:
        ScheduleError: for an unknown or a missing argument.
    """
    parameters = inspect.signature(constructor).parameters
    for key in given:
        if key not in parameters:
            fail_unknown(f"argument of {name}", key, [*parameters, *shared])
    positional: list[Any] = []
    keywords = dict(given)
    for parameter in parameters.values():
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            listed = keywords.pop(parameter.name, ())
            positional.extend(listed if isinstance(listed, list | tuple) else [listed])
        elif parameter.default is inspect.Parameter.empty and parameter.name not in given:
            raise ScheduleError(
                f"schedule {name} without {parameter.name}",
                f"{name}{inspect.signature(constructor)}".replace("'", ""),
                f"add {parameter.name}",
            )
    return positional, keywords
