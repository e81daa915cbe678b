"""What `report_to` names: known and installed before anything trains, and one place a training."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import Trainer, TrainerCallback
from transformers.integrations.integration_utils import (
    INTEGRATION_TO_CALLBACK,
    TensorBoardCallback,
    get_available_reporting_integrations,
    get_reporting_integration_callbacks,
)

from hf_transfer_plugin.errors import ConfigError, did_you_mean
from hf_transfer_plugin.processes import is_first
from hf_transfer_plugin.records import Plan

__all__ = ["check_reporters", "place_logs", "release_reporters", "training_name"]

_log = logging.getLogger(__name__)
_OWN_EXTRA = ("tensorboard", "trackio")


def check_reporters(training: Mapping[str, Any]) -> None:
    """Check the trackers that a run reports to before anything is loaded.

    Args:
        training: keyword arguments of TrainingArguments.

    Raises:
        ConfigError: for a tracker that transformers does not know, or that is not installed.
    """
    asked = training.get("report_to") or "none"
    names = [asked] if isinstance(asked, str) else list(asked)
    for name in names:
        if name in ("none", "all"):
            continue
        if name not in INTEGRATION_TO_CALLBACK:
            known = sorted(INTEGRATION_TO_CALLBACK)
            raise ConfigError(
                arrived=f"training.report_to: {name!r}{did_you_mean(str(name), known)}",
                expected="none, all, or one or more of " + ", ".join(known),
                action="correct training.report_to",
            )
        shipped = INTEGRATION_TO_CALLBACK[name].__module__.startswith("transformers.")
        if shipped and name not in get_available_reporting_integrations():
            package = "'hf-transfer-plugin[tracking]'" if name in _OWN_EXTRA else name
            raise ConfigError(
                arrived=f"training.report_to: {name}, which is not installed",
                expected="the package of each tracker in this environment",
                action=f"pip install {package}, or remove it from training.report_to",
            )


def training_name(plan: Plan, seed: int, rate: float | None, order: int | None = None) -> str:
    """Return PLAN/seed-N, with the rate of a grid and the order of a soup's further member."""
    tried = f"-rate-{rate:g}" if plan.learning_rates and rate is not None else ""
    member = f"-member-{order}" if order is not None else ""
    return f"{plan.name}/seed-{seed}{tried}{member}"


def place_logs(trainer: Trainer, folder: Path | None, name: str) -> None:
    """Let each training report under a name of its own, TensorBoard below a folder that stays.

    What an earlier try of the same training left in `folder` goes. The variable
    TENSORBOARD_LOGGING_DIR takes its place; there nothing is deleted, for other runs may log there.

    Args:
        trainer: about to train; its `output_dir` does not outlive the training.
        folder: takes the event files, in NAME/.
        name: as from `training_name`.
    """
    args = trainer.args
    if args.run_name is None:
        args.run_name = name.replace("/", "-")
    if args.project == type(args).project and folder is not None:
        args.project = _run_folder(folder.resolve()).name
    for callback in _reporters(trainer):
        if not isinstance(callback, TensorBoardCallback):
            continue
        own = not callback.logging_dir
        chosen = callback.logging_dir or folder
        if chosen is None:
            _log.warning("%s: TensorBoard's files are lost: no folder for logs was given", name)
            continue
        place = Path(chosen) / name
        if own and is_first():
            shutil.rmtree(place, ignore_errors=True)
        callback.logging_dir = str(place)


def release_reporters(trainer: Trainer) -> None:
    """Keep what is measured after the training out of its trackers: it stands in the results."""
    for callback in _reporters(trainer):
        trainer.remove_callback(callback)


def _run_folder(logs: Path) -> Path:
    above = (each.parent for each in (logs, *logs.parents) if each.name == "logs")
    return next(above, logs)


def _reporters(trainer: Trainer) -> list[TrainerCallback]:
    kinds = tuple(get_reporting_integration_callbacks(trainer.args.report_to))
    return [each for each in trainer.callback_handler.callbacks if isinstance(each, kinds)]
