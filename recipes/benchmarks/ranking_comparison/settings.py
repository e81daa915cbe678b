"""What holds for all fine-tunings and all rankings of a results file."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

__all__ = ["Settings"]


@dataclass(frozen=True)
class Settings:
    """Where things lie, and what every fine-tuning has in common.

    Attributes:
        data: holds a folder of parquet files per data set.
        work: candidates and targets are made here once.
        rows: training rows of a target, a stratified sample; a ranking reads the same.
        test_rows: rows whose accuracy is measured, a stratified sample.
        source_rows: rows that a candidate is made with.
        epochs: passes over the training rows.
        rates: kind of data -> peak learning rate, the same for every candidate.
        max_length: tokens a text is cut to.
        image_size: pixels of a side.
        threads: of torch.
        accelerator: what it runs on, "none" for processor cores.
    """

    data: Path
    work: Path
    rows: int
    test_rows: int
    source_rows: int
    epochs: int
    rates: dict[str, float]
    max_length: int
    image_size: int
    threads: int
    accelerator: str

    def environment(self) -> dict[str, Any]:
        """Return all that a result depends on beside its own key."""
        kept = asdict(self)
        del kept["data"], kept["work"]
        return kept
