"""YAML without its traps: safe, no key twice, and 5e-4 is a number."""

from __future__ import annotations

import os
import re
import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from hf_transfer_plugin.errors import TransferError

__all__ = ["parse_value", "read_mapping"]


class _Twice(yaml.YAMLError):
    """A key that appears twice."""


class _StrictLoader(yaml.SafeLoader):
    """A safe loader that does not let a second key overwrite the first one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for position, key in enumerate(keys):
            if key in keys[:position]:
                line = node.value[position][0].start_mark.line + 1
                raise _Twice(f"line {line}: the key {key!r} appears twice")
        return super().construct_mapping(node, deep=deep)


# YAML 1.1 takes 5e-4 for a text because it has no dot.
_StrictLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?[0-9][0-9_]*(?:\.[0-9_]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


def parse_value(text: str) -> Any:
    """Read one value as YAML, such as `3`, `5e-4`, `[a, b]` or a plain text.

    Raises:
        yaml.YAMLError: when it cannot be parsed.
    """
    return yaml.load(text, Loader=_StrictLoader)


def read_mapping(
    path: str | os.PathLike[str], error: type[TransferError], expected: str
) -> Mapping[str, Any]:
    """Return the mapping that a YAML file holds.

    Args:
        path: the file.
        error: what to raise.
        expected: what the file should hold, for the error.

    Raises:
        TransferError: of the class `error`, when the file cannot be read, is not YAML, repeats a
            key or holds no mapping.
    """
    try:
        data = parse_value(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        raise error(f"cannot read {path}: {reason}", expected, "check the path") from None
    except yaml.YAMLError as problem:
        text = " ".join(str(problem).split())
        raise error(f"cannot parse {path}: {text}", expected, "mend the file") from None
    if not isinstance(data, Mapping):
        raise error(f"{path} holds {reprlib.repr(data)}", expected, "write key: value lines")
    return data
