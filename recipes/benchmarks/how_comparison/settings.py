"""What holds for all trials of a results file."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["PROCESSOR", "Settings"]

#: The device where there is no accelerator.
PROCESSOR = "processor"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Where rows come from, and how networks read them.

    Attributes:
        data: holds a folder of parquet files for each data set.
        batch: rows of a step.
        max_length: tokens a text is cut to.
        image_size: pixels of a side.
        threads: of torch, in each process.
        device: what it runs on; each result names its own, so that one file can hold several.
    """

    data: str
    batch: int
    max_length: int
    image_size: int
    threads: int
    device: str

    def environment(self) -> dict[str, Any]:
        """Return all that a result depends on beside its own key and its device."""
        kept = asdict(self)
        del kept["data"], kept["device"]
        return kept
