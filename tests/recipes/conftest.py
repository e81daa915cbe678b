"""Scripts of benchmarks, run in this process."""

from __future__ import annotations

import multiprocessing
import os
import runpy
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.forked import start_server

BENCHMARKS = Path(__file__).parents[2] / "recipes" / "benchmarks"
PACKAGES = (
    "domain_comparison",
    "how_comparison",
    "measured",
    "negative_transfer_comparison",
    "planner_comparison",
    "prefix_comparison",
    "ranking_comparison",
    "schedule_comparison",
    "tuning",
)


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make the packages of the benchmarks that fine-tune importable."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield
    for name in [name for name in sys.modules if name.startswith(PACKAGES)]:
        del sys.modules[name]


@pytest.fixture
def run_script(
    modules: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Run a script here, on processor cores: most of its imports are done; give its output.

    What it measures in processes of their own is forked from one that has imported everything.
    """
    for name in ("OMP_NUM_THREADS", "TOKENIZERS_PARALLELISM", "HF_TL_CACHE"):
        monkeypatch.setenv(name, os.environ.get(name, ""))  # the script sets it
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    monkeypatch.setattr("torch.accelerator.is_available", lambda: False)
    monkeypatch.setattr(multiprocessing, "get_context", lambda method=None: start_server())

    def output(name: str, *arguments: str) -> str:
        script = str(BENCHMARKS / name)
        monkeypatch.setattr(sys, "argv", [script, *arguments])
        runpy.run_path(script, run_name="__main__")
        return capsys.readouterr().out

    return output
