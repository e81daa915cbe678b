"""Run by test_two_processes under torchrun: every case in one launch, in two processes.

Arguments: what to do (whole or resumed), the folder for everything written and, for whole, the
step at which both processes die in one more run. Each process leaves `WHAT-RANK.pt` there.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.distributed import all_gather, barrier
from transformers import TrainerCallback

from hf_transfer_plugin import require_processes
from hf_transfer_plugin.adapt.schedules import FreezingSchedule
from hf_transfer_plugin.callbacks.freezing import FreezingCallback
from hf_transfer_plugin.callbacks.weight_average import WeightAverageCallback
from hf_transfer_plugin.processes import end_processes
from tests.callbacks.schedule_cases import PLATEAU
from tests.callbacks.tiny import MODELS, Recorder, tensors, trainer

PROCESSES = 2
SAVED = (3, 6)  # never where a phase begins
AVERAGED = "average of "

Schedule = Callable[[], FreezingSchedule]


@dataclass(frozen=True)
class Case:
    """What one run trains.

    Attributes:
        model: key of MODELS.
        schedule: makes the schedule.
        trainable: sets of trainable weights that the run goes through, one after another.
        like_one: ends as one process with the doubled batch does. Never with dropout, and never
            with BatchNorm in training mode, which sees the half batch of its own process.
        dropout: keep the dropout of the model's config.
        arguments: further fields of TrainingArguments.
    """

    model: str
    schedule: Schedule
    trainable: int
    like_one: bool = True
    dropout: bool = False
    arguments: dict[str, Any] = field(default_factory=dict)


def _lp_ft() -> FreezingSchedule:
    return FreezingSchedule.lp_ft(0.5, rate=0.5)


CASES: dict[str, Case] = {
    "bert lp_ft": Case("bert", _lp_ft, 2),
    "bert gradual": Case("bert", lambda: FreezingSchedule.gradual_unfreezing(2), 4),
    # Freezes the head again, when Adam holds momentum and weight decay for it.
    "bert chain": Case("bert", lambda: FreezingSchedule.chain_thaw(2), 4),
    "bert dropout": Case("bert", _lp_ft, 2, like_one=False, dropout=True),
    "resnet lp_ft": Case("resnet", _lp_ft, 2, like_one=False),
    "lora lp_ft": Case("lora", _lp_ft, 2),
    "bert rates": Case("bert", lambda: FreezingSchedule.full().with_rates(decay=0.5), 1),
    "bert lisa": Case("bert", lambda: FreezingSchedule.lisa(1, every=2), 2),
    "bert rgn": Case("bert", lambda: FreezingSchedule.auto_rgn(every=2), 1),
    "bert freeze": Case("bert", lambda: FreezingSchedule.auto_freeze(60.0, every=2), 3),
    "bert plateau": Case(
        "bert", lambda: FreezingSchedule.lp_ft().with_plateau(2), 2, arguments=PLATEAU
    ),
    "lora base": Case("lora", lambda: FreezingSchedule.adapters_first(0.5, "top:1"), 2),
}
KILLED = "bert dropout"  # needs the random state of both processes back


class Watch(TrainerCallback):
    """Keeps, after each step, which weights train and how far the processes are apart."""

    def __init__(self) -> None:
        self.trainable: list[list[str]] = []
        self.weights: list[float] = []
        self.buffers: list[float] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        model = kwargs["model"]
        self.trainable.append([n for n, p in model.named_parameters() if p.requires_grad])
        self.weights.append(_gap(model.parameters()))
        self.buffers.append(_gap(b for n, b in model.named_buffers() if "running_" in n))


class Death(TrainerCallback):
    """Ends the process as a power cut does, with the gradients of a step computed."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == self.step:
            os.kill(os.getpid(), signal.SIGKILL)


def _gap(values: Any) -> float:
    """Return the largest difference of any number between the processes."""
    flat = [value.detach().reshape(-1) for value in values]
    if not flat:
        return 0.0
    own = torch.cat(flat)
    everyone = [torch.empty_like(own) for _ in range(PROCESSES)]
    all_gather(everyone, own)
    assert all(bool(one.isfinite().all()) for one in everyone)
    return max(float((one - everyone[0]).abs().max()) for one in everyone)


def build(case: Case) -> nn.Module:
    """Return the model of a case, with its dropout or none."""
    model = MODELS[case.model]()
    for module in model.modules():
        if isinstance(module, nn.Dropout) and not case.dropout:
            module.p = 0.0
    # Else Trainer doubles the gradient for two processes: it takes the loss to be a sum. Under
    # adapters it asks the base model.
    inner: Any = model
    base = inner.get_base_model() if case.model == "lora" else inner
    base.accepts_loss_kwargs = False
    return model


def train(
    case: Case, folder: Path, processes: int, *callbacks: TrainerCallback, resume: str | None = None
) -> dict[str, torch.Tensor]:
    """Train a case on batches of 4 in all, and return the final weights and their average."""
    # Attention is blind to the bias of keys: its gradient is noise, which Adam with the default
    # epsilon would blow up to full steps, other ones on two processes than on one.
    defaults: dict[str, Any] = {
        "adam_epsilon": 1e-4,
        "per_device_train_batch_size": 4 // processes,
        "save_strategy": "steps",
        "save_steps": SAVED[0],
    }
    model = build(case)
    freezing = FreezingCallback(case.schedule())
    average = WeightAverageCallback(decay=0.9)
    run = trainer(model, folder, freezing, average, *callbacks, **(defaults | case.arguments))
    run.train(resume_from_checkpoint=resume)
    averaged = {f"{AVERAGED}{name}": tensor for name, tensor in average.weights.items()}
    return tensors(model) | averaged


def _whole(folder: Path) -> dict[str, Any]:
    results = {}
    for name, case in CASES.items():
        watch, recorder = Watch(), Recorder()
        final = train(case, folder / name, PROCESSES, watch, recorder)
        results[name] = {
            "first": recorder.history[0],
            "final": final,
            "moved": [sorted(moved) for moved in recorder.moved()],
            **vars(watch),
        }
    return results


def _resumed(folder: Path) -> dict[str, Any]:
    results: dict[str, Any] = {}
    for name, case in CASES.items():
        checkpoint = str(folder / name / f"checkpoint-{SAVED[0]}")
        results[name] = train(case, folder / "again", PROCESSES, resume=checkpoint)
    checkpoint = (folder / "last").read_text()
    results["killed"] = train(CASES[KILLED], folder / "again", PROCESSES, resume=checkpoint)
    return results


def main() -> None:
    """Do what the first argument says."""
    what, folder = sys.argv[1], Path(sys.argv[2])
    require_processes(PROCESSES)
    gc.freeze()  # Trainer's collections would take longer than these runs do
    results = {"whole": _whole, "resumed": _resumed}[what](folder)
    file = folder / f"{what}-{os.environ['RANK']}.pt"
    torch.save(results, file.with_suffix(".part"))
    file.with_suffix(".part").rename(file)
    # One process that is gone takes the others with it: wait until both have written.
    barrier()
    if what == "whole":
        train(CASES[KILLED], folder / "killed", PROCESSES, Death(int(sys.argv[3])))


if __name__ == "__main__":
    main()  # models are free when it returns, as end_processes asks
    end_processes()
