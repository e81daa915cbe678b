"""A checkpoint pretrained further on the target's unlabelled texts, held against itself before."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hf_transfer_plugin.config import RunConfig
from hf_transfer_plugin.config_domains import check_domains
from hf_transfer_plugin.data import load_data
from hf_transfer_plugin.data.unlabelled_loading import load_unlabelled
from hf_transfer_plugin.decide.controls import BEFORE_PRETRAINING
from hf_transfer_plugin.errors import ConfigError
from hf_transfer_plugin.line import Line
from hf_transfer_plugin.masked_language_records import MaskedLanguageResult
from hf_transfer_plugin.records import Report, RunResult, Verdict

__all__ = ["SelfTaughtComparison", "self_taught"]


@dataclass(frozen=True)
class SelfTaughtComparison:
    """What further pretraining gave.

    Attributes:
        pretraining: losses on held-out texts.
        report: of fine-tuning from the checkpoint after it, held against the one before it.
        folder: the pretrained checkpoint; name it in any config.
    """

    pretraining: MaskedLanguageResult
    report: Report
    folder: Path

    @property
    def transfer(self) -> RunResult:
        """Return the result of fine-tuning from the checkpoint after it."""
        return self.report.transfer

    @property
    def control(self) -> RunResult:
        """Return the result of fine-tuning from the checkpoint before it."""
        return self.report.controls[0]

    @property
    def verdict(self) -> Verdict:
        """Return their comparison."""
        return self.report.verdict


def self_taught(config: RunConfig, *, command: str = "", **options: Any) -> SelfTaughtComparison:
    """Pretrain the config's checkpoint on all texts of train, then fine-tune with and without.

    Fine-tuning is a run as of `Line`, from the checkpoint after the pretraining; its first control
    is "before-pretraining", those of the config follow. Both checkpoints are ranked.

    The pretraining reads every text of the train split and no label; `data.train_examples` limits
    the labelled rows of fine-tuning alone. Validation and test texts are not read by it. With
    `labels: source` the texts are the target's, and those who fine-tune learn labels of
    `source_data` alone. The run folder gets `pretrained/` beside what a run leaves there: report,
    card, model. A call that was stopped goes on from them.

    Args:
        config: task, data, checkpoint and how to fine-tune.
        command: that repeats it, for report and card.
        options: of `masked_language_pretraining`, such as epochs=3.

    Raises:
        ConfigError: for images, a config without checkpoint, or domains that do not fit together.
        DataError, CheckpointError, RecordError: as `masked_language_pretraining` and `Line`.
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
    others = (name for name in config.controls if name != BEFORE_PRETRAINING)
    fine_tuned = replace(
        config,
        checkpoint=str(pretrained.absolute()),
        revision=None,
        candidates=(config.checkpoint, *config.candidates),
        controls=(BEFORE_PRETRAINING, *others),
    )
    report = Line(fine_tuned, command=command).report()
    return SelfTaughtComparison(found, report, pretrained)
