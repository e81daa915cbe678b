"""Source data: checked as the target is, with errors that name their own keys."""

from __future__ import annotations

import re
from dataclasses import fields

from hf_transfer_plugin.data.loading import TargetData, load_data
from hf_transfer_plugin.errors import DataError
from hf_transfer_plugin.records import DataSpec, Task

__all__ = ["load_source"]

_KEY = re.compile(rf"(?<![\w/.])data\.(?=(?:{'|'.join(each.name for each in fields(DataSpec))})\b)")


def load_source(spec: DataSpec, task: Task) -> TargetData:
    """Read, split and check the data that a checkpoint learned from.

    Args:
        spec: where they lie and which columns to read.
        task: what was learned from them.

    Raises:
        DataError: for anything that would make training fail or its result meaningless.
    """
    try:
        return load_data(spec, task)
    except DataError as error:
        parts = (error.arrived, error.expected, error.action)
        arrived, expected, action = (_KEY.sub("source_data.", part) for part in parts)
        raise DataError(f"source_data: {arrived}", expected, action) from None
