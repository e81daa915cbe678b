"""Run by test_ranking_in_processes: rank in two processes, and leave what each of them saw."""

from __future__ import annotations

import json
import os
import socket
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from torch.multiprocessing import start_processes

from hf_transfer_plugin import Line, load_config
from hf_transfer_plugin.processes import end_processes, wait_for_all, world_size
from hf_transfer_plugin.select import row_scoring

# Imported once, before the processes part: that takes longer than all that they do.
_SLOW = (
    "datasets",
    "hf_transfer_plugin.train.arguments",
    "sklearn.linear_model",
    "transformers.models.bert.modeling_bert",
)


def main(config: str) -> None:
    """Start two processes with the environment that torchrun gives them."""
    for name in _SLOW:
        import_module(name)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    os.environ |= {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    start_processes(_process, args=(config,), nprocs=2, start_method="fork")


def _process(number: int, config: str) -> None:
    os.environ |= {"RANK": str(number), "LOCAL_RANK": str(number)}
    _rank(config)


def _rank(config: str) -> None:
    """Rank twice; the second time nothing is left to do."""
    passes: list[list[str]] = []
    own = row_scoring.layer_features

    def noted(checkpoint: Any, *given: Any, **options: Any) -> Any:
        passes.append([checkpoint.name, options["weights"]])
        return own(checkpoint, *given, **options)

    row_scoring.layer_features = noted
    folder = f"run-{world_size()}"
    first = Line(load_config(config, [f"run_folder={folder}"])).rank()
    seen = list(passes)
    again = Line(load_config(config, [f"run_folder={folder}"])).rank()
    left = {"ranking": first.to_json(), "again": again == first, "seen": seen}
    Path(f"{os.environ['RANK']}.json").write_text(json.dumps(left))
    wait_for_all()
    end_processes()


if __name__ == "__main__":
    main(sys.argv[1])
