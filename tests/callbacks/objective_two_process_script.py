"""Run by test_objectives_two_processes under torchrun: every case in one launch, tasks too.

Argument: the folder, with the sources. Each process leaves `objectives-RANK.pt` there.
"""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path
from typing import Any

import torch
from torch.distributed import barrier
from transformers import TrainerCallback

from hf_transfer_plugin import require_processes
from hf_transfer_plugin.adapt.objectives import term_of
from hf_transfer_plugin.adapt.objectives.loss_term import LossTerm
from hf_transfer_plugin.processes import end_processes
from tests.callbacks.multitask_two_processes import train_tasks
from tests.callbacks.objective_cases import STRONG, build, run
from tests.callbacks.tiny import tensors

PROCESSES = 2
# (model, adapter, objective); ViT divides its loss by the number of labels in all processes.
CASES: list[tuple[str, str | None, str]] = [
    ("bert", None, "l2sp"),
    ("bert", "lora", "l2sp"),
    ("bert", None, "delta"),
    ("bert", None, "co_tuning"),
    ("vit", None, "delta"),
    ("bert", None, "bss"),
    ("bert", None, "relational"),
    ("bert", None, "feature_norm"),
    ("bert_with_dropout", None, "r_drop"),
    ("bert_with_dropout", "lora", "r_drop"),
    ("bert", None, "dann"),
    ("vit", None, "dann"),
    ("bert", "lora", "cdan"),
    ("bert", None, "domain_confusion"),
    ("bert", None, "mmd"),
    ("bert", None, "coral"),
    ("bert", None, "mcc"),
]


class KeepsDiscriminator(TrainerCallback):
    """Keeps what a term holds of its own after each step, under names of no weight."""

    def __init__(self, term: LossTerm) -> None:
        self.term = term
        self.tensors: dict[str, torch.Tensor] = {}

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        for kind, named in self.term.tensors().items():
            for name, tensor in named.items():
                self.tensors[f"discriminator {kind} {name}"] = tensor.detach().clone()


def train(folder: Path, processes: int) -> list[dict[str, torch.Tensor]]:
    """Train each case on batches of 8 in all; return the final weights, discriminator included."""
    found = []
    for model, adapter, objective in CASES:
        network = build(model, adapter, folder / "sources")
        sizes: dict[str, Any] = {"per_device_train_batch_size": 8 // processes, "optim": "sgd"}
        term = term_of(STRONG[objective])
        keeps = KeepsDiscriminator(term)
        run(network, folder / "runs", term, "gradual", keeps, **sizes)
        found.append({**tensors(network), **keeps.tensors})
    return found


def main() -> None:
    """Train in this process with the other one."""
    folder = Path(sys.argv[1])
    require_processes(PROCESSES)
    file = folder / f"objectives-{os.environ['RANK']}.pt"
    gc.freeze()  # Trainer's collections would take longer than these runs do
    found = {"objectives": train(folder, PROCESSES), "tasks": train_tasks(folder, PROCESSES)}
    torch.save(found, file.with_suffix(".part"))
    file.with_suffix(".part").rename(file)
    barrier()


if __name__ == "__main__":
    main()  # models are free when it returns, as end_processes asks
    end_processes()
