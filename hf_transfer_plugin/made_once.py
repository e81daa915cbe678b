"""Records of a run folder that one process makes, once, and all others read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from hf_transfer_plugin.processes import is_first, wait_for_all
from hf_transfer_plugin.serialization import Record

__all__ = ["made_once"]

_Value = TypeVar("_Value", bound=Record)


def made_once(
    folder: Path, kind: type[_Value], fits: Callable[[_Value], bool], make: Callable[[], _Value]
) -> _Value:
    """Return what a folder holds if it fits, else let the first process make it.

    Args:
        folder: of the run.
        kind: of the record, which names its file.
        fits: whether what is there is what is wanted.
        make: makes it.
    """
    path = folder / kind.file_name
    if is_first():
        held = kind.load_usable(path)
        if held is None or not fits(held):
            make().save(path)
    wait_for_all()
    return kind.load(path)
