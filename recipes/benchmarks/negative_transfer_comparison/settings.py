"""What holds for all trainings and forecasts of a results file."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

__all__ = ["Settings"]


@dataclass(frozen=True)
class Settings:
    """Where things lie, and what every training has in common.

    Attributes:
        data: holds a folder of parquet files per data set.
        work: sources and targets are made here once.
        validation_rows: on which each side chooses its rate.
        test_rows: rows whose accuracy is judged.
        source_rows: rows that a source is trained on.
        steps: least number of steps of a training.
        epochs: least number of passes over the training rows.
        rates: kind of data -> peak learning rates that each side may choose from.
        max_length: tokens a text is cut to.
        image_size: pixels of a side.
        threads: of torch.
        accelerator: what it runs on, "none" for processor cores.
    """

    data: Path
    work: Path
    validation_rows: int
    test_rows: int
    source_rows: int
    steps: int
    epochs: int
    rates: dict[str, list[float]]
    max_length: int
    image_size: int
    threads: int
    accelerator: str

    def environment(self) -> dict[str, Any]:
        """Return all that a result depends on beside its own key."""
        kept = asdict(self)
        del kept["data"], kept["work"]
        return kept
