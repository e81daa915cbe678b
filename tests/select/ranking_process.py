"""Run by test_ranking_in_processes under torchrun: rank, and leave what was seen."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from hf_transfer_plugin import Line, load_config
from hf_transfer_plugin.processes import end_processes, wait_for_all, world_size
from hf_transfer_plugin.select import row_scoring


def main(config: str) -> None:
    """Rank twice; the second time nothing is left to do."""
    passes: list[list[str]] = []
    own = row_scoring.layer_features

    def noted(checkpoint: Any, *given: Any, **options: Any) -> Any:
        passes.append([checkpoint.name, options["weights"]])
        return own(checkpoint, *given, **options)

    row_scoring.layer_features = noted
    size = world_size()
    folder = f"run-{size}"
    first = Line(load_config(config, [f"run_folder={folder}"])).rank()
    seen = list(passes)
    again = Line(load_config(config, [f"run_folder={folder}"])).rank()
    left = {"ranking": first.to_json(), "again": again == first, "seen": seen}
    Path(f"{size}-{os.environ.get('RANK', '0')}.json").write_text(json.dumps(left))
    wait_for_all()
    end_processes()


if __name__ == "__main__":
    main(sys.argv[1])
