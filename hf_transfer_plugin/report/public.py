"""Copies of a report that are fit to leave the run, or the machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from hf_transfer_plugin.records import Report
from hf_transfer_plugin.redaction import conceal_paths, is_absolute_path, last_name, redact
from hf_transfer_plugin.report.names import is_local
from hf_transfer_plugin.serialization import Record

__all__ = ["public_record", "public_report", "redacted_report"]

_Kind = TypeVar("_Kind", bound=Record)

# Fields that hold a reference; elsewhere a path stands inside a sentence.
_PICTURE = "picture"  # base64, in which a slash is no path
_REFERENCES = ("checkpoint", "confidence_set", "path", "data")


def _map_text(value: Any, change: Callable[[str, str], str], key: str = "") -> Any:
    if isinstance(value, str):
        return value if key == _PICTURE else change(value, key)
    if isinstance(value, dict):
        return {name: _map_text(item, change, name) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_map_text(item, change, key) for item in value]
    return value


def redacted_report(report: Report) -> Report:
    """Return the report without anything that looks like a token or password."""
    return Report.from_json(_map_text(report.to_json(), lambda text, _: redact(text)))


def public_report(report: Report, *, examples: bool = False) -> Report:
    """Return the redacted report without absolute local paths and rows of data, fit for the Hub.

    A checkpoint or data folder `/home/me/flowers` becomes `./flowers`, so it is still seen to be
    local; inside texts (command, explanation, environment, warnings) only its last name stays.

    Args:
        report: what the run gave.
        examples: keep the test examples that it shows: rows of the data.
    """
    return public_record(report if examples else replace(report, examples=()))


def public_record(record: _Kind) -> _Kind:
    """Return any record without tokens and absolute local paths, as `public_report` does."""
    data = _map_text(record.to_json(), lambda text, _: redact(text))
    known = sorted(_local_references(data), key=len, reverse=True)

    def change(text: str, key: str) -> str:
        if key in _REFERENCES and is_absolute_path(text):
            return f"./{last_name(text)}"
        for path in known:
            text = text.replace(path, last_name(path))
        return conceal_paths(text)

    return type(record).from_json(_map_text(data, change))


def _local_references(data: dict[str, Any]) -> set[str]:
    """Return the absolute paths that the record names: they may hold spaces."""
    found: set[str] = set()

    def collect(text: str, key: str) -> str:
        if key in _REFERENCES and is_absolute_path(text) and is_local(text):
            found.add(text)
        return text

    _map_text(data, collect)
    return found
