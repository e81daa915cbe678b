"""YAML and overrides to what a run with few labels, or none, needs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from hf_transfer_plugin.config_keys import as_record, check_keys, name_folders, read_keys, spread
from hf_transfer_plugin.config_values import check_data
from hf_transfer_plugin.errors import require
from hf_transfer_plugin.few_shot_records import (
    METHODS,
    Contrastive,
    FewShotMethod,
    ZeroShotMethod,
)
from hf_transfer_plugin.metrics import check_metric
from hf_transfer_plugin.records import DataSpec, Task
from hf_transfer_plugin.serialization import Record

__all__ = [
    "FewShotConfig",
    "ZeroShotConfig",
    "check_few_shot",
    "check_zero_shot",
    "load_few_shot",
    "load_zero_shot",
]

_LISTS = ("methods", "shots", "templates")
_Config = TypeVar("_Config", bound=Record)


@dataclass(frozen=True)
class FewShotConfig(Record):
    """Learning curves over the number of labels.

    Attributes:
        task: "text-classification" or "image-classification".
        data: as for `hf-tl run`; validation is not read.
        run_folder: where everything of this run is written.
        checkpoint: Hub name, local folder or `sample:NAME`.
        shots: numbers of labelled examples of each class.
        draws: of each number, at least two; draw 0, 1, ... is the seed of rows and training.
        methods: some of "prototypes", "probe", "contrastive".
        contrastive: options of the tuning, see `Contrastive`.
        metric: what is judged.
        margin: difference, in units of the metric, that would not matter.
        confidence: of every interval.
    """

    file_name = "few_shot_config.json"

    task: Task
    data: DataSpec
    run_folder: str
    checkpoint: str
    revision: str | None = None
    trust_remote_code: bool = False
    shots: tuple[int, ...] = (1, 2, 4, 8, 16)
    draws: int = 5
    methods: tuple[FewShotMethod, ...] = METHODS
    contrastive: Contrastive = Contrastive()
    metric: str = "accuracy"
    margin: float = 0.01
    confidence: float = 0.95


@dataclass(frozen=True)
class ZeroShotConfig(Record):
    """Classes named from their texts alone.

    Attributes:
        task: "text-classification" or "image-classification".
        data: as for `hf-tl run`; labels are read to score the test split, and nowhere else.
        run_folder: where the result is written.
        checkpoint: Hub name, local folder or `sample:NAME`.
        method: "embeddings" (texts, a sentence encoder), "entailment" (texts, a checkpoint of
            natural language inference) or "image-text" (images, CLIP or SigLIP).
        labels: class name -> text; a class that is not there goes by its name, `_` as a space.
        templates: each holds {} where the text of the label goes; of several the mean counts.
        even_prior: centre the scores of each class over so many unlabelled training rows, so
            that no label text is near to everything; 0: do not.
        metric: what the table leads with.
    """

    file_name = "zero_shot_config.json"

    task: Task
    data: DataSpec
    run_folder: str
    checkpoint: str
    method: ZeroShotMethod
    revision: str | None = None
    trust_remote_code: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    templates: tuple[str, ...] = ("{}",)
    even_prior: int = 0
    metric: str = "accuracy"


def load_few_shot(path: str | os.PathLike[str], overrides: Sequence[str] = ()) -> FewShotConfig:
    """Read a YAML file and apply `key=value` overrides.

    Raises:
        ConfigError: for a file that cannot be read, or an unknown key.
    """
    return _load(path, overrides, FewShotConfig)


def load_zero_shot(path: str | os.PathLike[str], overrides: Sequence[str] = ()) -> ZeroShotConfig:
    """Read a YAML file and apply `key=value` overrides.

    Raises:
        ConfigError: for a file that cannot be read, or an unknown key.
    """
    return _load(path, overrides, ZeroShotConfig)


def check_few_shot(config: FewShotConfig) -> None:
    """Raise an error for the first value that does not fit.

    Raises:
        ConfigError: naming the key.
    """
    check_metric(config.metric)
    check_data(config.data, "data")
    shots = config.shots
    fits = bool(shots) and min(shots) > 0 and len(set(shots)) == len(shots)
    require(fits, "shots", list(shots), "numbers from 1 up, each once")
    require(config.draws > 1, "draws", config.draws, "at least two: one says nothing of the spread")
    once = 0 < len(set(config.methods)) == len(config.methods)
    require(once, "methods", list(config.methods), "some of " + ", ".join(METHODS) + ", each once")
    tuning = config.contrastive
    for name in ("steps", "classes", "rows"):
        least = 1 if name == "steps" else 2
        value = getattr(tuning, name)
        require(value >= least, f"contrastive.{name}", value, f"{least} or more")
    rate = tuning.learning_rate
    require(rate > 0, "contrastive.learning_rate", rate, "a number above 0")
    require(config.margin >= 0, "margin", config.margin, "0 or more")
    require(0 < config.confidence < 1, "confidence", config.confidence, "between 0 and 1")


def check_zero_shot(config: ZeroShotConfig) -> None:
    """Raise an error for the first value that does not fit.

    Raises:
        ConfigError: naming the key.
    """
    check_metric(config.metric)
    check_data(config.data, "data")
    images = config.task == "image-classification"
    fitting = "image-text" if images else "embeddings or entailment"
    require((config.method == "image-text") == images, "method", config.method, fitting)
    holds = bool(config.templates) and all(each.count("{}") == 1 for each in config.templates)
    require(holds, "templates", list(config.templates), "texts that each hold {} once")
    require(config.even_prior >= 0, "even_prior", config.even_prior, "0, or a number of rows")


def _load(path: str | os.PathLike[str], overrides: Sequence[str], kind: type[_Config]) -> _Config:
    expected = f"a YAML file with the keys of a {kind.__name__}"
    data = read_keys(path, overrides, expected)
    check_keys(data, kind)
    spread(data, _LISTS)
    name_folders(data)
    return as_record(kind, data, path)
