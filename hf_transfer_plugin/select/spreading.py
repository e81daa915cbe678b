"""Work items spread over the processes of a launcher; every process gets all outcomes."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TypeVar

from hf_transfer_plugin.errors import TransferError
from hf_transfer_plugin.processes import of_all, world_size

__all__ = ["spread"]

_Item = TypeVar("_Item")
_Value = TypeVar("_Value")


def spread(items: Sequence[_Item], work: Callable[[_Item], _Value]) -> list[_Value | TransferError]:
    """Do each item in one process and return what every item gave, in order.

    Args:
        items: the same in every process.
        work: what to do with one; an error of the package takes the place of its value.
    """
    number, processes = int(os.environ.get("RANK", "0")), world_size()
    own = {
        index: _tried(work, item) for index, item in enumerate(items) if index % processes == number
    }
    found = {index: value for part in of_all(own) for index, value in part.items()}
    return [found[index] for index in range(len(items))]


def _tried(work: Callable[[_Item], _Value], item: _Item) -> _Value | TransferError:
    try:
        return work(item)
    except TransferError as error:
        return error
