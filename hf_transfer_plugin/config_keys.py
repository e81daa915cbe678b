"""The keys of a config as they are written: overrides, short forms, folders, unknown names."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Any, TypeVar

import yaml

from hf_transfer_plugin.adapter_records import Adapter
from hf_transfer_plugin.augmentation_records import Augmentation
from hf_transfer_plugin.average_records import Average
from hf_transfer_plugin.errors import ConfigError, RecordError, did_you_mean, require
from hf_transfer_plugin.objective_records import Objective
from hf_transfer_plugin.records import DataSpec
from hf_transfer_plugin.serialization import Record
from hf_transfer_plugin.source_weight_records import SourceWeights
from hf_transfer_plugin.strict_yaml import parse_value, read_mapping

__all__ = [
    "DATA",
    "NAMED",
    "apply_override",
    "as_record",
    "check_keys",
    "name_folders",
    "named_folder",
    "plain",
    "read_keys",
    "spread",
]

_Record = TypeVar("_Record", bound=Record)

#: Keys whose value may be a path alone.
DATA = ("data", "source_data")
#: Keys whose value may be a name alone.
NAMED: Mapping[str, type[Adapter] | type[Objective] | type[Average] | type[SourceWeights]] = {
    "adapter": Adapter,
    "objective": Objective,
    "average": Average,
    "source_weights": SourceWeights,
}
# What a text alone stands for, where a mapping may be written.
_ALONE: Mapping[str, str] = dict.fromkeys(DATA, "path") | dict.fromkeys(
    (*NAMED, "augment", "schedule"), "name"
)


def named_folder(name: Any) -> Any:
    """Return an existing local path `a/b` as `./a/b`, so that it never passes for a Hub name."""
    local = isinstance(name, str) and name[:1] not in ("/", ".", "~") and os.path.exists(name)
    return f"./{name}" if local else name


def name_folders(data: dict[str, Any]) -> None:
    """Let no local path of a run's config pass for a Hub name."""
    if "checkpoint" in data:
        data["checkpoint"] = named_folder(data["checkpoint"])
    if isinstance(data.get("candidates"), list):
        data["candidates"] = [named_folder(name) for name in data["candidates"]]
    for key in DATA:
        if isinstance(data.get(key), dict):
            data[key]["path"] = named_folder(data[key].get("path"))


def plain(value: Any) -> Any:
    """Return mappings as dictionaries with text keys."""
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    return value


def apply_override(data: dict[str, Any], override: str, alone: Mapping[str, str] = _ALONE) -> None:
    """Put `key=value` (dots for nested keys, the value as YAML) into what was read.

    Args:
        data: the config, which is changed.
        override: `key=value`.
        alone: key whose value may be a text -> the inner key that such a text stands for.

    Raises:
        ConfigError: for an override without a key or an equals sign.
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
    """Raise a ConfigError for a key that is unknown or missing."""
    known = {each.name: each for each in fields(kind)}
    for key, value in data.items():
        if key not in known:
            raise ConfigError(
                arrived=f"unknown key {prefix}{key}{did_you_mean(key, known)}",
                expected="one of " + ", ".join(known),
                action="correct or remove the key",
            )
        if key == "data" or (key in DATA and value is not None):
            kinds = "a path or Hub name, or keys such as {path: texts.csv, label: intent}"
            require(isinstance(value, Mapping), key, value, kinds)
            check_keys(value, DataSpec, f"{key}.")
    missing = [key for key in _required(kind) if key not in data]
    if missing:
        raise ConfigError(
            arrived=f"no {prefix}{missing[0]}",
            expected="a config with " + ", ".join(prefix + key for key in _required(kind)),
            action=f"add {prefix}{missing[0]} to the file, or {prefix}{missing[0]}=... behind it",
        )


def _required(kind: type) -> Iterable[str]:
    return [
        each.name
        for each in fields(kind)
        if each.default is MISSING and each.default_factory is MISSING
    ]


def read_keys(
    path: str | os.PathLike[str], overrides: Sequence[str], expected: str
) -> dict[str, Any]:
    """Read a YAML file and apply overrides; data that are a path alone become a mapping.

    Raises:
        ConfigError: for a file or an override that cannot be read, or a repeated key.
    """
    data: dict[str, Any] = plain(read_mapping(path, ConfigError, expected))
    for override in overrides:
        apply_override(data, override)
    for key in DATA:
        if isinstance(data.get(key), str):
            data[key] = {"path": data[key]}
        spec = data.get(key)
        if isinstance(spec, dict) and spec.get("augment") is not None:
            spec["augment"] = Augmentation.from_config(spec["augment"]).to_json()
    return data


def spread(data: dict[str, Any], lists: Iterable[str]) -> None:
    """Write a number of seeds as these seeds, and a value alone as a list where one is wanted.

    Args:
        data: the config, which is changed.
        lists: keys whose list of one may be written without brackets.
    """
    if type(data.get("seeds")) is int:
        data["seeds"] = list(range(data["seeds"]))
    for name in lists:
        if isinstance(data.get(name), str | int | float):
            data[name] = [data[name]]


def as_record(kind: type[_Record], data: dict[str, Any], path: str | os.PathLike[str]) -> _Record:
    """Return the record of a config.

    Raises:
        ConfigError: for a value of the wrong kind.
    """
    try:
        return kind.from_json(data, origin=str(path))
    except RecordError as error:
        raise ConfigError(
            arrived=f"{path}: {error.arrived.removeprefix(f'{path} is no {kind.__name__}: ')}",
            expected="each key with a value of its kind",
            action="correct the value, in the file or in the override behind it",
        ) from None
