"""The parts of reading a config that all kinds of config share."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields
from typing import Any

import yaml

from hf_transfer_plugin.errors import ConfigError, did_you_mean
from hf_transfer_plugin.strict_yaml import parse_value

__all__ = ["apply_override", "check_keys", "named_folder", "plain", "required_keys"]


def plain(value: Any) -> Any:
    """Return mappings as dicts whose keys are texts, all else as it is."""
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    return value


def apply_override(data: dict[str, Any], override: str, alone: Mapping[str, str]) -> None:
    """Set the key of a `key=value` (dots for nested keys), the value as YAML.

    Args:
        data: the config, which is changed.
        override: `key=value`.
        alone: key whose value may be a text -> the inner key that such a text stands for.

    Raises:
        ConfigError: for an override without an equals sign or key.
    """
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise ConfigError(
            arrived=f"the override {override!r}",
            expected="key=value, such as training.num_train_epochs=5",
            action="put an equals sign between key and value, without spaces",
        )
    try:
        value = parse_value(text)
    except yaml.YAMLError:
        value = text
    *path, last = key.split(".")
    place = data
    for part in path:
        inner = place.setdefault(part, {})
        if not isinstance(inner, dict):
            name = alone.get(part, "")
            inner = place[part] = {name: inner} if name and inner is not None else {}
        place = inner
    place[last] = value


def check_keys(data: Mapping[str, Any], kind: type, prefix: str = "") -> None:
    """Check that all keys are fields of a dataclass, and that none it needs is missing.

    Raises:
        ConfigError: naming the key.
    """
    known = [each.name for each in fields(kind)]
    for key in data:
        if key not in known:
            raise ConfigError(
                arrived=f"unknown key {prefix}{key}{did_you_mean(key, known)}",
                expected="one of " + ", ".join(known),
                action="correct or remove the key",
            )
    required = required_keys(kind)
    missing = [key for key in required if key not in data]
    if missing:
        raise ConfigError(
            arrived=f"no {prefix}{missing[0]}",
            expected="a config with " + ", ".join(prefix + key for key in required),
            action=f"add {prefix}{missing[0]} to the file, or {prefix}{missing[0]}=... behind it",
        )


def required_keys(kind: type) -> list[str]:
    """Return the fields of a dataclass without a default."""
    found: Iterable[Any] = fields(kind)
    return [e.name for e in found if e.default is MISSING and e.default_factory is MISSING]


def named_folder(name: Any) -> Any:
    """Return an existing local path `a/b` as `./a/b`, so that it never passes for a Hub name."""
    local = isinstance(name, str) and name[:1] not in ("/", ".", "~") and os.path.exists(name)
    return f"./{name}" if local else name
