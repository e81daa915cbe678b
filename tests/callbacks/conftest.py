"""What several tests of callbacks start from."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.callbacks.objective_cases import save_sources


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the checkpoints of every case."""
    folder = tmp_path_factory.mktemp("sources")
    save_sources(folder)
    return folder
