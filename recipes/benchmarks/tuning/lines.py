"""Results on disk: one JSON line each, written as soon as it is measured."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["Lines"]


class Lines:
    """The results of a file; of two with the same key the later one counts.

    Args:
        path: the file; it need not exist yet. A last line that was cut off is dropped.
        environment: what the numbers depend on beside their keys; None to read what is there.

    Raises:
        ValueError: when the file was made under another environment, or there is none to read.
    """

    def __init__(self, path: Path, environment: dict[str, Any] | None = None) -> None:
        self._path = path
        self._found: dict[tuple[str, ...], dict[str, Any]] = {}
        written = path.read_text(encoding="utf-8").splitlines(True) if path.is_file() else []
        if written and not written[-1].endswith("\n"):
            written.pop()
            path.write_text("".join(written), encoding="utf-8")
        if not written:
            if environment is None:
                raise ValueError(f"{path} holds no results")
            self.environment = environment
            self._write({"environment": self.environment})
            return
        self.environment = json.loads(written[0])["environment"]
        if environment is not None and environment != self.environment:
            raise ValueError(
                f"{path} was measured with {self.environment}, now it is {environment}: "
                "give another --out"
            )
        for line in written[1:]:
            record = json.loads(line)
            self._found[tuple(record["key"])] = record["result"]

    def __iter__(self) -> Iterator[tuple[str, ...]]:
        return iter(self._found)

    def __contains__(self, key: object) -> bool:
        return key in self._found

    def __getitem__(self, key: tuple[str, ...]) -> dict[str, Any]:
        return self._found[key]

    def add(self, key: tuple[str, ...], result: dict[str, Any]) -> None:
        """Keep a result, in memory and as a line."""
        self._found[key] = result
        self._write({"key": list(key), "result": result})

    def _write(self, record: dict[str, Any]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
