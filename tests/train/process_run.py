"""Run as a script by test_processes under torchrun: one plan, in as many processes as it gives.

The argument is the plan's file; the result lies beside it, named after the number of processes.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from hf_transfer_plugin import Plan, require_processes, run, session
from hf_transfer_plugin.processes import is_first, of_first, wait_for_all
from hf_transfer_plugin.train import running


def _looks_late(*given: Any) -> Any:
    """Look for earlier results so late that the first process could have written its own."""
    if not is_first():
        time.sleep(2)
    return _look(*given)


_look = running._earlier


def main() -> None:
    """Run the plan and a baseline; then let every process write what the first one told it."""
    file = Path(sys.argv[1])
    size = require_processes()
    plan = Plan.load(file)
    run(plan, results=file.parent / f"{size}.json", model_dir=file.parent / f"m{size}")
    running._earlier = _looks_late
    baseline = replace(plan, name="majority", checkpoint="baseline:majority")
    run(baseline, results=file.parent / f"baseline-{size}.json")
    wait_for_all()
    heard = of_first("first" if is_first() else "other")
    (file.parent / f"heard-{size}-{'first' if is_first() else 'other'}").write_text(heard)


if __name__ == "__main__":
    with session():
        main()
