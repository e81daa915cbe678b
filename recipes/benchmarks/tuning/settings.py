"""What holds for all fine-tunings of a results file, whatever the benchmark."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

__all__ = ["HasEnvironment", "TuningSettings"]


class HasEnvironment(Protocol):
    """Settings that tell what results depend on."""

    def environment(self) -> dict[str, Any]:
        """Return all that a result depends on beside its own key."""


@dataclass(frozen=True, kw_only=True)
class TuningSettings:
    """Where things lie, and what every fine-tuning has in common.

    Attributes:
        data: holds a folder of parquet files per data set.
        work: networks and targets are made here once.
        test_rows: rows whose accuracy is measured, a stratified sample.
        source_rows: rows that a network is made with.
        epochs: passes over the training rows.
        max_length: tokens a text is cut to.
        image_size: pixels of a side.
        threads: of torch.
        accelerator: what it runs on, "none" for processor cores.
    """

    data: Path
    work: Path
    test_rows: int
    source_rows: int
    epochs: int
    max_length: int
    image_size: int
    threads: int
    accelerator: str

    def environment(self) -> dict[str, Any]:
        """Return all that a result depends on beside its own key."""
        kept = asdict(self)
        del kept["data"], kept["work"]
        return kept
