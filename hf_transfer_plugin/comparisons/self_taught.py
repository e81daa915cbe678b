"""A checkpoint pretrained further on the target's unlabelled texts, held against itself before."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_transfer_plugin.config import RunConfig
from hf_transfer_plugin.config_domains import check_domains
from hf_transfer_plugin.data import load_data, plan_data
from hf_transfer_plugin.data.unlabelled_loading import load_unlabelled
from hf_transfer_plugin.decide.verdict import judge
from hf_transfer_plugin.errors import ConfigError
from hf_transfer_plugin.records import Ranking, RunResult, Verdict
from hf_transfer_plugin.train import run

if TYPE_CHECKING:
    from hf_transfer_plugin.train.masked_language_records import MaskedLanguageResult

__all__ = ["SelfTaughtComparison", "self_taught"]


@dataclass(frozen=True)
class SelfTaughtComparison:
    """What further pretraining gave.

    Attributes:
        pretraining: losses on held-out texts.
        transfer, control: fine-tuning from the checkpoint after it and before it.
        verdict: their comparison.
        folder: the pretrained checkpoint; name it in any config.
    """

    pretraining: MaskedLanguageResult
    transfer: RunResult
    control: RunResult
    verdict: Verdict
    folder: Path


def self_taught(config: RunConfig, **options: Any) -> SelfTaughtComparison:
    """Pretrain the config's checkpoint on all texts of train, then fine-tune with and without.

    The pretraining reads every text of the train split and no label; `data.train_examples` limits
    the labelled rows of fine-tuning alone. Validation and test texts are not read by it. With
    `labels: source` the texts are the target's, and those who fine-tune learn labels of
    `source_data` alone. Files go into the run folder: `pretrained/`, `results/`; a run that was
    stopped goes on from them.

    Args:
        config: task, data, checkpoint and how to fine-tune.
        options: of `masked_language_pretraining`, such as epochs=3.

    Raises:
        ConfigError: for images, a config without checkpoint, or domains that do not fit together.
        DataError, CheckpointError, RecordError: as `masked_language_pretraining` and `run`.
    """
    # Imports transformers, which a script that has just begun should not wait for.
    from hf_transfer_plugin.train.masked_language import masked_language_pretraining

    if config.task != "text-classification":
        raise ConfigError(
            arrived=f"further pretraining for {config.task}",
            expected="texts: words are masked and predicted",
            action="for images take a checkpoint that was pretrained without labels (MAE, DINOv2)",
        )
    if config.checkpoint is None:
        raise ConfigError(
            arrived="a config without checkpoint",
            expected="the checkpoint to pretrain further",
            action="add checkpoint, such as sample:minilm",
        )
    check_domains(config)
    read = load_data if config.labels == "target" else load_unlabelled
    unlabelled = read(replace(config.data, train_examples=None), config.task)
    train = unlabelled.splits["train"]
    texts = [text for name in unlabelled.inputs for text in train[name]]
    folder = Path(config.run_folder)
    pretrained = folder / "pretrained"
    found = masked_language_pretraining(
        config.checkpoint,
        texts,
        pretrained,
        revision=config.revision,
        trust_remote_code=config.trust_remote_code,
        **options,
    )
    plan = config.plan(Ranking(config.task, config.data.path, "", 0, ()))
    data = plan_data(plan)
    results = []
    for changed in (
        replace(plan, name="self-taught", checkpoint=str(pretrained.absolute()), revision=None),
        replace(plan, name="without"),
    ):
        file = folder / "results" / f"{changed.name}.json"
        results.append(run(changed, results=file, data=data, logs_dir=folder / "logs"))
    verdict = judge(*results, margin=config.margin, confidence=config.confidence)
    return SelfTaughtComparison(found, results[0], results[1], verdict, pretrained)
