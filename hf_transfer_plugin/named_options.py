"""A name with options in a config: `lora`, or `{name: lora, r: 8}`."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from hf_transfer_plugin.errors import ConfigError, did_you_mean

__all__ = ["check_number", "check_option", "check_switch", "kind_named", "named_options"]

_Kind = TypeVar("_Kind")


def kind_named(what: str, name: str, kinds: Mapping[str, _Kind]) -> _Kind:
    """Return what goes by a name.

    Args:
        what: is named, such as "adapter".
        name: of it.
        kinds: name -> what is known of it.

    Raises:
        ConfigError: for an unknown name.
    """
    if name not in kinds:
        raise ConfigError(
            arrived=f"unknown {what} {name!r}{did_you_mean(str(name), kinds)}",
            expected="one of " + ", ".join(kinds),
            action=f"correct the name of the {what}",
        )
    return kinds[name]


def named_options(
    what: str,
    config: Any,
    kinds: Collection[str],
    example: tuple[str, str],
    own: Collection[str] = (),
) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Return name, options and own fields of a name alone, or of a mapping with a name.

    Options may also stand in a mapping `options` of their own, as in the JSON of a record.

    Args:
        what: is named, such as "adapter".
        config: as it was written.
        kinds: names there are.
        example: a name, and an option of it.
        own: keys beside the name that are no options.

    Raises:
        ConfigError: when there is no name.
    """
    if isinstance(config, str):
        config = {"name": config}
    if not isinstance(config, Mapping) or "name" not in config:
        name, option = example
        raise ConfigError(
            arrived=f"{what}: {config!r}",
            expected=f"a name such as {name}, or a mapping such as {{name: {name}, {option}}}",
            action=f"add the name of the {what}: one of " + ", ".join(kinds),
        )
    fields = {key: config[key] for key in own if key in config}
    options = {key: value for key, value in config.items() if key not in ("name", *own)}
    if isinstance(options.get("options"), Mapping):
        options |= options.pop("options")
    return config["name"], options, fields


def check_option(
    what: str, name: str, key: str, known: Collection[str], also: Collection[str] = ()
) -> None:
    """Raise a ConfigError for an option that there is not.

    Args:
        what: is named, such as "adapter".
        name: of it.
        key: the option.
        known: options there are.
        also: what else stands beside the name.
    """
    if key not in known:
        raise ConfigError(
            arrived=f"unknown option {key!r} of {what} {name}{did_you_mean(str(key), known)}",
            expected="one of " + ", ".join((*known, *also)),
            action="correct or remove it",
        )


def check_number(
    what: str,
    name: str,
    key: str,
    value: Any,
    low: float,
    high: float = math.inf,
    *,
    is_count: bool = False,
) -> None:
    """Raise a ConfigError for the value of an option that is no finite number in its range.

    Args:
        what: is named, such as "adapter".
        name: of it.
        key: the option.
        value: as it was written.
        low: the least value.
        high: the largest value.
        is_count: whole numbers alone.
    """
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and math.isfinite(value) and low <= value <= high:
        if not is_count or type(value) is int:
            return
    end = f"to {high:g}" if math.isfinite(high) else "up"
    text = isinstance(value, str)
    raise ConfigError(
        arrived=f"{what} {name} with {key}: {value!r}",
        expected=f"a{' whole' if is_count else ''} number from {low:g} {end}",
        action=f"correct {key}"
        + (", without quotes (YAML reads 1e-3 as text: write 1.0e-3)" if text else ""),
    )


def check_switch(what: str, name: str, key: str, value: Any) -> None:
    """Raise a ConfigError for the value of an option that is neither on nor off.

    Args:
        what: is named, such as "objective".
        name: of it.
        key: the option.
        value: as it was written; 0 and 1 count as off and on.
    """
    if not isinstance(value, bool) and value not in (0, 1):
        raise ConfigError(
            arrived=f"{what} {name} with {key}: {value!r}",
            expected="true or false",
            action=f"correct {key}",
        )
