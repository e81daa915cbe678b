"""YAML and overrides to a `MultitaskConfig`: several tasks on one network, and each alone."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hf_transfer_plugin.adapt.multitask_checks import check_names, check_way
from hf_transfer_plugin.adapt.schedules import FreezingSchedule
from hf_transfer_plugin.adapter_records import Adapter
from hf_transfer_plugin.config_keys import (
    apply_override,
    as_record,
    check_keys,
    named_folder,
    plain,
)
from hf_transfer_plugin.config_values import check_data
from hf_transfer_plugin.errors import ConfigError, did_you_mean, require
from hf_transfer_plugin.metrics import check_metric
from hf_transfer_plugin.multitask_records import SAMPLINGS, MultitaskPlan, Way
from hf_transfer_plugin.records import DataSpec, Task
from hf_transfer_plugin.serialization import Record
from hf_transfer_plugin.strict_yaml import read_mapping

__all__ = ["MultitaskConfig", "load_multitask_config"]

_KEYS = "a YAML file with the keys of a multitask run, such as task, tasks, checkpoint, ways"
_LISTS = ("learning_rates", "seeds", "ways")
_A_WAY = "size, round_robin, temperature, or keys such as {sampling: temperature, temperature: 5}"
_A_TASK = "a path or Hub name, or keys such as {path: texts.csv, label: intent}"


@dataclass(frozen=True)
class MultitaskConfig(Record):
    """All of a multitask run, as a user writes it.

    Attributes:
        task: "text-classification" or "image-classification", of all tasks.
        tasks: name -> its data, see `DataSpec`; a text alone is its path.
        run_folder: where everything of this run is written.
        checkpoint: the network that the tasks share.
        ways: what is trained, each on all tasks: `size`, `round_robin`, `temperature`, or
            `{sampling: size, pcgrad: true}`; see `Way`. Each is held against the tasks alone.
        schedule, adapter, training, metric: as in a run of one task, for all networks alike.
        batch_size: rows of an optimizer step, over all tasks and processes.
        learning_rates: grid tried with the first seed, by each way and by each task alone.
        seeds: one run each; in YAML their number is enough.
        margin: difference, in units of the metric, that would not matter.
        confidence: of every interval.
        processes: how many must run; None accepts what the launcher gave.
        title: heading of the picture.
    """

    file_name = "config.json"

    task: Task
    tasks: Mapping[str, DataSpec]
    run_folder: str
    checkpoint: str
    ways: tuple[Way, ...] = (Way(),)
    revision: str | None = None
    trust_remote_code: bool = False
    schedule: Mapping[str, Any] = field(default_factory=lambda: {"name": "full"})
    adapter: Adapter | None = None
    training: Mapping[str, Any] = field(default_factory=dict)
    batch_size: int = 32
    learning_rates: tuple[float, ...] = ()
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    metric: str = "accuracy"
    margin: float = 0.01
    confidence: float = 0.95
    processes: int | None = None
    title: str = ""

    def plan(self, way: Way) -> MultitaskPlan:
        """Return the plan of one way.

        Raises:
            ScheduleError: for a schedule that contradicts itself.
        """
        return MultitaskPlan(
            task=self.task,
            checkpoint=self.checkpoint,
            tasks=self.tasks,
            way=way,
            revision=self.revision,
            schedule=FreezingSchedule.from_config(self.schedule).phases,
            adapter=self.adapter,
            training=dict(self.training),
            batch_size=self.batch_size,
            learning_rates=self.learning_rates,
            seeds=self.seeds,
            metric=self.metric,
            trust_remote_code=self.trust_remote_code,
        )


def load_multitask_config(
    path: str | os.PathLike[str], overrides: Sequence[str] = ()
) -> MultitaskConfig:
    """Read a YAML file and apply `key=value` overrides (`tasks.trec.train_examples=300`).

    Args:
        path: the file.
        overrides: each `key=value`, dots for nested keys, the value as YAML.

    Raises:
        ConfigError: for a file that cannot be read, an unknown or repeated key, or a value of the
            wrong kind.
        ScheduleError: for a schedule that contradicts itself.
    """
    data = plain(read_mapping(path, ConfigError, _KEYS))
    for override in overrides:
        apply_override(data, override, {"adapter": "name"})
    check_keys(data, MultitaskConfig)
    data["tasks"] = _tasks(data["tasks"])
    for key in _LISTS:
        if isinstance(data.get(key), str | float | dict) or type(data.get(key)) is int:
            data[key] = [data[key]] if key != "seeds" else data[key]
    if type(data.get("seeds")) is int:
        data["seeds"] = list(range(data["seeds"]))
    if isinstance(data.get("ways"), list):
        data["ways"] = [_way(each) for each in data["ways"]]
    if data.get("adapter") is not None:
        data["adapter"] = Adapter.from_config(data["adapter"]).to_json()
    data["checkpoint"] = named_folder(data["checkpoint"])
    config = as_record(MultitaskConfig, data, path)
    _check_values(config)
    return config


def _tasks(given: Any) -> dict[str, Any]:
    require(
        isinstance(given, Mapping), "tasks", given, f"name: data for each, data being {_A_TASK}"
    )
    found = {}
    for name, spec in given.items():
        spec = {"path": spec} if isinstance(spec, str) else spec
        require(isinstance(spec, Mapping), f"tasks.{name}", spec, _A_TASK)
        check_keys(spec, DataSpec, f"tasks.{name}.")
        found[name] = {**spec, "path": named_folder(spec["path"])}
    return found


def _way(given: Any) -> dict[str, Any]:
    way = {"sampling": given} if isinstance(given, str) else given
    require(isinstance(way, Mapping), "ways", given, _A_WAY)
    check_keys(way, Way, "ways.")
    sampling = way.get("sampling", "size")
    hint = did_you_mean(str(sampling), SAMPLINGS)
    require(sampling in SAMPLINGS, "ways.sampling", f"{sampling}{hint}", ", ".join(SAMPLINGS))
    return dict(way)


def _check_values(config: MultitaskConfig) -> None:
    check_metric(config.metric)
    check_names(list(config.tasks))
    FreezingSchedule.from_config(config.schedule)
    names = [way.name for way in config.ways]
    require(0 < len(set(names)) == len(names), "ways", names, "at least one, each once")
    for way in config.ways:
        check_way(way)
    for name, spec in config.tasks.items():
        check_data(spec, f"tasks.{name}")
    once = 1 < len(set(config.seeds)) == len(config.seeds)
    require(once, "seeds", list(config.seeds), "at least two (no verdict from one), each once")
    require(config.batch_size > 0, "batch_size", config.batch_size, "a number above 0")
    require(0 < config.confidence < 1, "confidence", config.confidence, "between 0 and 1")
    require(config.margin >= 0, "margin", config.margin, "0 or more")
