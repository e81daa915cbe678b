"""Results on disk: one JSON file, whole after every run."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from schedule_comparison.runs import Run

__all__ = ["Results"]


class Results:
    """The results of a file, by run.

    Args:
        path: the JSON file; it need not exist yet.
        environment: what the numbers depend on beside the run, such as threads.

    Raises:
        ValueError: when the file was made under another environment.
    """

    def __init__(self, path: Path, environment: dict[str, Any]) -> None:
        self._path = path
        self._environment = environment
        self._found: dict[Run, dict[str, Any]] = {}
        if path.is_file():
            stored = json.loads(path.read_text(encoding="utf-8"))
            if stored["environment"] != environment:
                raise ValueError(
                    f"{path} was measured with {stored['environment']}, now it is {environment}: "
                    "give another --out"
                )
            self._found = {Run(**each["run"]): each["result"] for each in stored["results"]}

    @classmethod
    def read(cls, path: Path) -> Results:
        """Read a file that exists, whatever its environment."""
        return cls(path, json.loads(path.read_text(encoding="utf-8"))["environment"])

    @property
    def environment(self) -> dict[str, Any]:
        """Return what the numbers depend on beside the run."""
        return self._environment

    def __iter__(self) -> Iterator[Run]:
        return iter(self._found)

    def __contains__(self, run: object) -> bool:
        return run in self._found

    def __getitem__(self, run: Run) -> dict[str, Any]:
        return self._found[run]

    def add(self, run: Run, result: dict[str, Any]) -> None:
        """Add a result and write the file anew, so that it is whole at any moment."""
        self._found[run] = result
        content = {
            "environment": self._environment,
            "results": [{"run": asdict(run), "result": each} for run, each in self._found.items()],
        }
        self._path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self._path.with_suffix(".tmp")
        unfinished.write_text(json.dumps(content, indent=1), encoding="utf-8")
        os.replace(unfinished, self._path)
