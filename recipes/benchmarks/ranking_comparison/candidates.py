"""The candidates on disk, each made once."""

from __future__ import annotations

from pathlib import Path

from tuning.networks import make

from ranking_comparison.plan import CANDIDATES
from ranking_comparison.settings import Settings
from ranking_comparison.targets import read_source

__all__ = ["candidate_folder", "made"]


def candidate_folder(name: str, settings: Settings) -> Path:
    """Return where a candidate lies, a plain transformers folder without a head."""
    return settings.work / f"candidates-{settings.source_rows}" / name


def made(name: str, settings: Settings) -> bool:
    """Make a candidate where it is missing, and tell whether it was."""
    folder = candidate_folder(name, settings)
    if folder.is_dir():
        return False
    source = CANDIDATES[name]
    data = read_source(source.dataset, source.kind, settings) if source.dataset else None
    make(source, folder, settings.image_size, data)
    return True
