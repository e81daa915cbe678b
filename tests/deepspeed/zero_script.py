"""Run by test_zero under torchrun: every case in one launch, in two processes.

Arguments: what to do (plain, zero, resumed or refused) and the folder for everything written. Each
process leaves `WHAT-RANK.pt` there.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch.distributed import barrier
from transformers import TrainerCallback

from hf_transfer_plugin import require_processes
from hf_transfer_plugin.adapt.schedules import FreezingSchedule
from hf_transfer_plugin.errors import ScheduleError
from hf_transfer_plugin.processes import end_processes
from tests.callbacks.tiny import Recorder
from tests.callbacks.two_process_script import PROCESSES, SAVED, Case, Watch, train


def _lp_ft() -> FreezingSchedule:
    return FreezingSchedule.lp_ft(0.5, rate=0.5)


# Of evaluations after steps 3 and 6, the worse one counts as the better.
FIRST_IS_BEST = {
    "load_best_model_at_end": True,
    "metric_for_best_model": "eval_loss",
    "greater_is_better": True,
    "eval_strategy": "steps",
    "eval_steps": SAVED[0],
}
# Beside each, how many sets of trainable weights the run goes through.
PLAIN: dict[str, Case] = {
    "lp_ft": Case("bert", _lp_ft, 2),
    "gradual": Case("bert", lambda: FreezingSchedule.gradual_unfreezing(2), 4),
    # Freezes the head again, when Adam holds momentum and weight decay for it.
    "chain": Case("bert", lambda: FreezingSchedule.chain_thaw(2), 4),
    "decay": Case("bert", lambda: _lp_ft().with_rates(decay=0.5), 2),
    "curve": Case("bert", lambda: _lp_ft().with_rates(curve="cosine", warmup=0.25), 2),
    # Draws layers again whose state it has dropped.
    "lisa": Case("bert", lambda: FreezingSchedule.lisa(1, every=2, seed=10), 3),
    "spectrum": Case("bert", lambda: FreezingSchedule.spectrum(0.5), 1),
    "lora": Case("lora", _lp_ft, 2),
    # Its checkpoint lacks adapters that have trained and are frozen.
    "lora chain": Case("lora", lambda: FreezingSchedule.chain_thaw(2), 4),
    "lora best": Case("lora", lambda: FreezingSchedule.chain_thaw(2), 4, arguments=FIRST_IS_BEST),
    "best": Case("bert", _lp_ft, 2, arguments=FIRST_IS_BEST),
    "clipped": Case("bert", _lp_ft, 2, arguments={"max_grad_norm": 0.01}),
    "accumulated": Case("bert", _lp_ft, 2, arguments={"gradient_accumulation_steps": 2}),
    "momentum": Case("bert", _lp_ft, 2, arguments={"optim": "sgd", "optim_args": "momentum=0.9"}),
}
ZERO: dict[str, tuple[str, int]] = {
    "lp_ft of ZeRO-0": ("lp_ft", 0),
    "chain of ZeRO-0": ("chain", 0),
    "lp_ft of ZeRO-1": ("lp_ft", 1),
    "chain of ZeRO-1": ("chain", 1),
    "lora of ZeRO-1": ("lora", 1),
    **{f"{name} of ZeRO-2": (name, 2) for name in PLAIN},
}
HALF = {"lp_ft of ZeRO-2 in bf16": ("lp_ft", 2), "chain of ZeRO-1 in bf16": ("chain", 1)}


def zero(stage: int, **settings: Any) -> dict[str, Any]:
    """Return the DeepSpeed config of a stage, with further settings of zero_optimization."""
    names = ("train_micro_batch_size_per_gpu", "train_batch_size", "gradient_accumulation_steps")
    return {
        "zero_optimization": {"stage": stage, **settings},
        "bf16": {"enabled": "auto"},
        "gradient_clipping": "auto",
        # Else accelerate asks for DeepSpeed's own optimizer when it offloads.
        "zero_force_ds_cpu_optimizer": False,
        **dict.fromkeys(names, "auto"),
    }


def under(name: str) -> Case:
    """Return a case of ZERO or HALF."""
    plain, stage = (ZERO | HALF)[name]
    case = PLAIN[plain]
    more = {"deepspeed": zero(stage), "bf16": name in HALF}
    return replace(case, arguments=case.arguments | more)


@dataclass(frozen=True)
class Refusal:
    """What must be an error before the first step.

    Attributes:
        arrived: what the message says has arrived.
        deepspeed: config of DeepSpeed.
        schedule: makes the schedule.
        model: key of MODELS.
        arguments: further fields of TrainingArguments.
    """

    arrived: str
    deepspeed: dict[str, Any] = field(default_factory=lambda: zero(2))
    schedule: Callable[[], FreezingSchedule] = _lp_ft
    model: str = "bert"
    arguments: dict[str, Any] = field(default_factory=dict)


def _base() -> FreezingSchedule:
    return FreezingSchedule.adapters_first(0.5)


EVALUATED = {"eval_strategy": "steps", "eval_steps": 2}
REFUSALS: dict[str, Refusal] = {
    "bf16 ZeRO-0": Refusal("keeps the weights in a ", zero(0), arguments={"bf16": True}),
    "offload": Refusal("offloads the optimizer", zero(2, offload_optimizer={"device": "cpu"})),
    "adafactor": Refusal("weights with Adafactor", arguments={"optim": "adafactor"}),
    "round robin": Refusal("deals the weights", zero(2, round_robin_gradients=True)),
    "own optimizer": Refusal(
        "weights with Adagrad", zero(2) | {"optimizer": {"type": "Adagrad", "params": {"lr": 0.01}}}
    ),
    "auto_freeze": Refusal(
        "chooses by gradients", schedule=lambda: FreezingSchedule.auto_freeze(every=2)
    ),
    "auto_rgn": Refusal(
        "chooses by gradients", zero(0), schedule=lambda: FreezingSchedule.auto_rgn(every=2)
    ),
    "plateau": Refusal(
        "ends at a plateau", schedule=lambda: _lp_ft().with_plateau(1), arguments=EVALUATED
    ),
    "plateau of ZeRO-0": Refusal(
        "ends at a plateau", zero(0), lambda: _lp_ft().with_plateau(1), arguments=EVALUATED
    ),
    "adapters of ZeRO-0": Refusal("the model has adapters", zero(0), model="lora"),
    "base": Refusal("trains base weights", schedule=_base, model="lora"),
    # The last: transformers builds models in another way from here on.
    "ZeRO-3": Refusal("keeps the weights in a DeepSpeedZeroOptimizer_Stage3", zero(3)),
}


class Logs(TrainerCallback):
    """Keeps what was logged of the rates."""

    def __init__(self) -> None:
        self.rates: list[dict[str, float]] = []

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        for entry in state.log_history:
            if "learning_rate" in entry:
                rates = {n: v for n, v in entry.items() if n.startswith(("rate/", "learning"))}
                self.rates.append(rates)


def _run(name: str, case: Case, folder: Path) -> dict[str, Any]:
    watch, recorder, logs = Watch(), Recorder(), Logs()
    final = train(case, folder / name, PROCESSES, watch, recorder, logs)
    return {
        "first": recorder.history[0],
        "final": final,
        "moved": [sorted(moved) for moved in recorder.moved()],
        "rates": logs.rates,
        **vars(watch),
    }


def _plain(folder: Path) -> dict[str, Any]:
    return {name: _run(name, case, folder) for name, case in PLAIN.items()}


def _zero(folder: Path) -> dict[str, Any]:
    return {name: _run(name, under(name), folder) for name in ZERO | HALF}


def _resumed(folder: Path) -> dict[str, Any]:
    results = {}
    for name in ZERO | HALF:
        checkpoint = str(folder / name / f"checkpoint-{SAVED[0]}")
        results[name] = train(under(name), folder / "again", PROCESSES, resume=checkpoint)
    return results


def _refused(folder: Path) -> dict[str, str]:
    messages = {}
    for name, refusal in REFUSALS.items():
        arguments = refusal.arguments | {"deepspeed": refusal.deepspeed}
        case = Case(refusal.model, refusal.schedule, 0, arguments=arguments)
        watch = Watch()
        try:
            train(case, folder / name, PROCESSES, watch)
            messages[name] = "no error"
        except ScheduleError as error:
            messages[name] = f"{len(watch.weights)} steps made; {error}"
    return messages


def main() -> None:
    """Do what the first argument says."""
    what, folder = sys.argv[1], Path(sys.argv[2])
    require_processes(PROCESSES)
    does = {"plain": _plain, "zero": _zero, "resumed": _resumed, "refused": _refused}
    results = does[what](folder)
    file = folder / f"{what}-{os.environ['RANK']}.pt"
    torch.save(results, file.with_suffix(".part"))
    file.with_suffix(".part").rename(file)
    # One process that is gone takes the others with it: wait until both have written.
    barrier()


if __name__ == "__main__":
    main()  # models are free when it returns, as end_processes asks
    end_processes()
