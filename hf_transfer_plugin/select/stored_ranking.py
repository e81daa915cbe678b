"""The ranking of a run folder: made once, tried again for candidates that failed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from hf_transfer_plugin.errors import CheckpointError
from hf_transfer_plugin.processes import is_first, of_first, wait_for_all
from hf_transfer_plugin.records import Ranking

__all__ = ["stored_ranking"]

PARTS = "ranking-parts"


def stored_ranking(folder: Path, request: str, make: Callable[[Path], Ranking]) -> Ranking:
    """Return the ranking that a folder holds for a request, else make and store it.

    One with failed candidates is made again: the network may be back. What is finished then comes
    from a folder of parts, which is deleted with the last failure.

    Args:
        folder: the run folder, seen by every process.
        request: hash of everything that was asked for.
        make: called in every process with the folder of parts.

    Raises:
        CheckpointError: when no candidate at all could be scored, now or before.
    """
    path, parts = folder / Ranking.file_name, folder / PARTS
    found = _found(path, request) if is_first() else None
    state = of_first("" if found is None else "failures" if _failures(found) else "whole")
    if state != "whole":
        try:
            made = replace(make(parts), request=request)
        except CheckpointError:
            if state != "failures":
                raise
        else:
            if is_first() and (found is None or _failures(made) < _failures(found)):
                made.save(path)
            if is_first() and not _failures(made):
                shutil.rmtree(parts, ignore_errors=True)
    wait_for_all()
    return Ranking.load(path)


def _failures(ranking: Ranking) -> int:
    return sum(each.error is not None for each in ranking.candidates)


def _found(path: Path, request: str) -> Ranking | None:
    ranking = Ranking.load_usable(path)
    return ranking if ranking is not None and ranking.request == request else None
