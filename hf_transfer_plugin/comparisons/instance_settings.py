"""The config of an instance transfer: its own small file, read strictly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from hf_transfer_plugin.config_keys import (
    as_record,
    check_keys,
    name_folders,
    read_keys,
    spread,
)
from hf_transfer_plugin.config_values import check_data
from hf_transfer_plugin.errors import require
from hf_transfer_plugin.records import DataSpec, Task
from hf_transfer_plugin.serialization import Record

__all__ = ["WAYS", "InstanceTransferConfig", "Way", "load_instance_config"]

Way = Literal["source-only", "source-and-target", "density-ratio", "mean-matching", "tradaboost"]
WAYS: tuple[Way, ...] = (
    "source-only",
    "source-and-target",
    "density-ratio",
    "mean-matching",
    "tradaboost",
)
_KEYS = "a YAML file with task, source_data, data, checkpoint, run_folder, target_labels, seeds"


@dataclass(frozen=True)
class InstanceTransferConfig(Record):
    """What to compare.

    Attributes:
        task: of source and target, which have the same classes.
        source_data: labelled rows of the source; a text alone is its path.
        data: the target. All rows of train weigh the source, without their labels.
        checkpoint: computes the features.
        run_folder: where results, weights and pictures are written.
        target_labels: rows of train whose labels are read, drawn anew for each seed, stratified.
        ways: what is held against the target's labels alone.
        seeds: one draw of target labels each; in YAML their number is enough.
        components: principal components of both domains' features that are kept; None: all.
        folds: of the domain classifier and of the choice of a penalty.
        flatten: power of the density ratio, from 0 to 1.
        least_share: of the source rows that the density ratio leaves in effect; the power is
            lowered for it.
        bound, epsilon: of kernel mean matching; None: its defaults.
        rounds: of TrAdaBoost.
        shown: source rows that are shown as most and as least trusted.
        margin: difference in accuracy that would not matter.
        confidence: of the intervals.
        title: heading of the page.
    """

    file_name = "config.json"

    task: Task
    source_data: DataSpec
    data: DataSpec
    checkpoint: str
    run_folder: str
    target_labels: int = 50
    ways: tuple[Way, ...] = WAYS
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    components: int | None = 100
    folds: int = 5
    flatten: float = 1.0
    least_share: float = 0.25
    bound: float = 5.0
    epsilon: float | None = None
    rounds: int = 20
    shown: int = 10
    margin: float = 0.01
    confidence: float = 0.95
    title: str = ""


def load_instance_config(path: str, overrides: Sequence[str] = ()) -> InstanceTransferConfig:
    """Read a YAML file and apply `key=value` overrides (`source_data.path=FOLDER`).

    Args:
        path: the file.
        overrides: each `key=value`, dots for nested keys, the value as YAML.

    Raises:
        ConfigError: for a file that cannot be read, an unknown or repeated key, or a value of the
            wrong kind.
    """
    given = read_keys(path, overrides, _KEYS)
    check_keys(given, InstanceTransferConfig)
    spread(given, ("ways",))
    name_folders(given)
    config = as_record(InstanceTransferConfig, given, path)
    _check_values(config)
    return config


def _check_values(config: InstanceTransferConfig) -> None:
    check_data(config.data, "data")
    check_data(config.source_data, "source_data")
    once = 1 < len(set(config.seeds)) == len(config.seeds)
    require(once, "seeds", list(config.seeds), "at least two (no verdict from one), each once")
    for key, low in (("target_labels", 2), ("folds", 2), ("rounds", 2), ("shown", 1)):
        value = getattr(config, key)
        require(value >= low, key, value, f"{low} or more")
    some = config.components is None or config.components > 0
    require(some, "components", config.components, "a number above 0, or none for all")
    require(bool(config.ways), "ways", (), "one or more of " + ", ".join(WAYS))
    require(len(set(config.ways)) == len(config.ways), "ways", list(config.ways), "each once")
    require(config.margin >= 0, "margin", config.margin, "0 or more")
    require(0 < config.confidence < 1, "confidence", config.confidence, "between 0 and 1")
