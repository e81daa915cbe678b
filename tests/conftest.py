"""Fixtures that several test files share."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.hub_fixtures import hub as hub
from tests.hub_fixtures import hub_model as hub_model
from tests.hub_fixtures import hub_model_dir as hub_model_dir
from tests.hub_fixtures import hub_report as hub_report
from tests.hub_fixtures import hub_server as hub_server
from tests.hub_fixtures import hub_sleeps as hub_sleeps
from tests.hub_fixtures import running_hub as running_hub


@pytest.fixture(scope="session", autouse=True)
def prefix_cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep what tests cache out of the user's folder; processes that they start inherit it."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("prefix-cache")
        patch.setenv("HF_TL_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="module", autouse=True)
def quick_collections() -> None:
    """Keep what was there before a module out of collections of garbage.

    Trainer collects after each run, which would take longer than a tiny run does.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Compute in one thread, here and in processes that tests start: more wait for one another."""
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        torch.set_num_threads(1)
        yield
        torch.set_num_threads(threads)
