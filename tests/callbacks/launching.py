"""Scripts of tests in several processes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.forked import Torchrun


def launch(files: Sequence[Path], script: Path, *words: str) -> tuple[list[dict[str, Any]], str]:
    """Run a script under torchrun; return what each process wrote into its file, and the output.

    Fails with the output when a file is missing. The exit code says nothing: about one exit in
    five aborts although all work is done.
    """
    log = files[0].with_suffix(".log")
    output = Torchrun(log, script, *words, processes=len(files)).output(timeout=200)
    if not all(file.is_file() for file in files):
        pytest.fail(f"no result of each process:\n{output}")
    return [torch.load(file) for file in files], output
