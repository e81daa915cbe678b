"""What several tests of callbacks start from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.callbacks.objective_cases import quick_collections, save_sources


@pytest.fixture(scope="module")
def quick() -> Iterator[None]:
    """Collect garbage less often while a module runs."""
    with quick_collections():
        yield


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the checkpoints of every case."""
    folder = tmp_path_factory.mktemp("sources")
    save_sources(folder)
    return folder
