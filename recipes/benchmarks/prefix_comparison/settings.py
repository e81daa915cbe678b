"""What holds for all runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Settings"]


@dataclass(frozen=True)
class Settings:
    """Where things lie, and what every run has in common.

    Attributes:
        data: holds a folder of parquet files per data set.
        work: caches and trained weights are kept here from run to run.
        image_size: pixels of a side.
        threads: of torch.
    """

    data: Path
    work: Path
    image_size: int
    threads: int
