"""The values of a config, checked before anything is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hf_transfer_plugin.adapt.average_checks import check_average
from hf_transfer_plugin.config_domains import check_domains
from hf_transfer_plugin.data.splitting import ROLES
from hf_transfer_plugin.decide.controls import BEFORE_PRETRAINING, CONTROLS, pretraining_of
from hf_transfer_plugin.decide.hidden import MOST_EXAMPLES
from hf_transfer_plugin.decide.planned_looks import check_looks
from hf_transfer_plugin.errors import ConfigError, did_you_mean, require
from hf_transfer_plugin.metrics import check_metric

if TYPE_CHECKING:
    from hf_transfer_plugin.config import RunConfig
    from hf_transfer_plugin.records import DataSpec, Task

__all__ = ["check_data", "check_values"]


def check_values(config: RunConfig, task: Task | None) -> None:
    """Raise an error for the first value that does not fit.

    Args:
        config: what was read.
        task: the only task that is accepted, when given.

    Raises:
        ConfigError: naming the key, its value and what would fit.
        ScheduleError: for a schedule that contradicts itself.
    """
    if task is not None and config.task != task:
        raise ConfigError(
            arrived=f"task {config.task}",
            expected=f"task {task}, the one of this recipe",
            action="take the recipe of that task, or correct the config",
        )
    check_metric(config.metric)
    if not config.proposes:
        check_average(config.average, config.adapter, config.phases)
    positive = {
        "batch_size": config.batch_size,
        "rank_examples": config.rank_examples,
        "processes": config.processes,
        "watch_patience": config.watch_patience,
    }
    for key, value in positive.items():
        require(value is None or value > 0, key, value, "a number above 0")
    shown = config.report_examples
    require(0 <= shown <= MOST_EXAMPLES, "report_examples", shown, f"0 to {MOST_EXAMPLES}")
    _check_looks(config)
    once = 1 < len(set(config.seeds)) == len(config.seeds)
    require(once, "seeds", list(config.seeds), "at least two (no verdict from one), each once")
    check_data(config.data, "data", augment=True)
    images = config.task == "image-classification"
    if config.data.augment is not None and not images:
        raise ConfigError(
            arrived=f"data.augment with task: {config.task}",
            expected="task: image-classification",
            action="remove data.augment",
        )
    if config.source_data is not None:
        check_data(config.source_data, "source_data")
    for key in ("confidence", "rank_confidence"):
        value = getattr(config, key)
        require(0 < value < 1, key, value, "between 0 and 1")
    require(config.margin >= 0, "margin", config.margin, "0 or more")
    require(bool(config.ranked()), "checkpoint and candidates", None, "one checkpoint or more")
    require(bool(config.controls), "controls", (), "one of " + ", ".join(CONTROLS))
    for name in config.controls:
        hint = did_you_mean(name, CONTROLS)
        require(name in CONTROLS, "controls", f"{name}{hint}", "some of " + ", ".join(CONTROLS))
    if BEFORE_PRETRAINING in config.controls and config.checkpoint is not None:
        pretraining_of(config.checkpoint)
    check_domains(config)


def _check_looks(config: RunConfig) -> None:
    minutes = config.control_budget_minutes
    budget = "minutes of training above 0, and looks at which a control can stop"
    if minutes is not None:
        require(minutes > 0 and bool(config.looks), "control_budget_minutes", minutes, budget)
    if not config.looks:
        return
    check_looks(config.looks)
    if config.looks[-1] != len(config.seeds):
        raise ConfigError(
            arrived=f"looks: {list(config.looks)} with {len(config.seeds)} seeds",
            expected="a last look at all seeds",
            action=f"give seeds={config.looks[-1]}, or leave seeds out",
        )


def check_data(spec: DataSpec, key: str, *, augment: bool = False) -> None:
    """Check the sizes and shares of data.

    Args:
        spec: the data.
        key: where they stand in the config, for the error.
        augment: whether something reads how their images are augmented.

    Raises:
        ConfigError: naming the key.
    """
    sizes = ("max_length", "image_size", *(f"{role}_examples" for role in ROLES))
    for name in sizes:
        value = getattr(spec, name)
        require(value is None or value > 0, f"{key}.{name}", value, "a number above 0")
    for name in ("validation_fraction", "test_fraction"):
        value = getattr(spec, name)
        require(0 < value < 1, f"{key}.{name}", value, "a share between 0 and 1")
    if spec.augment is None:
        return
    if not augment:
        raise ConfigError(
            arrived=f"{key}.augment",
            expected="data.augment of hf-tl run, the only one that is read (with the labels of "
            "another domain it changes the images of that one)",
            action=f"remove {key}.augment",
        )
    spec.augment.checked()
