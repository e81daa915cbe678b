"""Scripts of tests in several processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

ROOT = Path(__file__).parents[2]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run"]


def launch(files: Sequence[Path], script: Path, *words: str) -> tuple[list[dict[str, Any]], str]:
    """Run a script under torchrun; return what each process wrote into its file, and the output.

    Fails with the output when a file is missing. The exit code says nothing: about one exit in
    five aborts although all work is done.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*TORCHRUN, "--nproc_per_node", str(len(files)), str(script), *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
    )
    output = f"{done.stdout}\n{done.stderr}"
    if not all(file.is_file() for file in files):
        pytest.fail(f"no result of each process:\n{output}")
    return [torch.load(file) for file in files], output
