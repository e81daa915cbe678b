"""What a config says of two domains: source data, whose labels train, and what chooses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hf_transfer_plugin.decide.controls import SOURCE_CONTROLS
from hf_transfer_plugin.domain_kinds import CHOICES, reads_domains
from hf_transfer_plugin.errors import ConfigError, require

if TYPE_CHECKING:
    from hf_transfer_plugin.config import RunConfig

__all__ = ["check_domains"]


def check_domains(config: RunConfig) -> None:
    """Require source data where something reads them and nowhere else, and what goes with them.

    Raises:
        ConfigError: naming the key, its value and what would fit.
    """
    readers = _readers(config)
    source = config.source_data
    if readers and source is None:
        raise ConfigError(
            arrived=f"{readers[0]} without source_data",
            expected="labelled data in the shape of `data`: another domain with the same classes "
            "(for permuted-source what the checkpoint learned from)",
            action="add source_data, such as {path: source.parquet}, or remove "
            + readers[0].removeprefix("the "),
        )
    _check_labels(config)
    _check_norms(config)
    if config.source_weights is not None and config.labels == "target":
        raise ConfigError(
            arrived=f"source_weights: {config.source_weights.name} with labels: target",
            expected="labels: source, or labels: both: rows of the source that train are weighed",
            action="remove source_weights, or give labels and source_data",
        )
    if source is None:
        return
    if not readers:
        raise ConfigError(
            arrived="source_data, which none of the controls "
            + ", ".join(config.controls)
            + " reads, with labels: target",
            expected="source_data together with labels: source, labels: both, or one of the "
            f"controls {', '.join(SOURCE_CONTROLS)}",
            action="add one of these, or remove source_data",
        )
    size = config.data.image_size
    require(
        source.image_size in (None, size),
        "source_data.image_size",
        source.image_size,
        f"{size}, that of data: both are read by one network",
    )


def _readers(config: RunConfig) -> list[str]:
    """Return what reads the source data, in words."""
    found = [f"labels: {config.labels}"] if config.labels != "target" else []
    if config.objective is not None and reads_domains(config.objective):
        found.append(f"the objective {config.objective.name}")
    return [*found, *(f"the control {name}" for name in config.controls if name in SOURCE_CONTROLS)]


def _check_labels(config: RunConfig) -> None:
    """Check what `labels` allows."""
    objective = config.objective
    if config.labels == "target" and objective is not None and reads_domains(objective):
        raise ConfigError(
            arrived=f"the objective {objective.name} with labels: target",
            expected="labels: source, or labels: both: it holds labelled rows of source_data "
            "against rows of data without their labels",
            action="add labels: source, or choose an objective that reads one domain",
        )
    if config.choose_by is None:
        if config.labels == "source" and config.training.get("load_best_model_at_end"):
            _refuse_best_model("labels: source")
        return
    if config.labels == "target":
        raise ConfigError(
            arrived=f"choose_by: {config.choose_by} with labels: target",
            expected="no choose_by, for the labels of the target's validation rows choose; or "
            "labels: source, or labels: both",
            action="remove choose_by, or give labels",
        )
    if config.training.get("load_best_model_at_end"):
        _refuse_best_model(f"choose_by: {config.choose_by}")


def _check_norms(config: RunConfig) -> None:
    """Check that adapted batch norms have rows to be adapted to, and are stored."""
    if not config.adapt_batch_norm:
        return
    if config.labels == "target":
        raise ConfigError(
            arrived="adapt_batch_norm: true with labels: target",
            expected="labels: source, or labels: both: the norms move from the source's rows to "
            "those of the target",
            action="remove adapt_batch_norm, or give labels and source_data",
        )
    if config.adapter is not None and not config.adapter.is_merged:
        raise ConfigError(
            arrived=f"adapt_batch_norm: true with the adapter {config.adapter.name}, stored alone",
            expected="keep: merged: the norms belong to the network, which a stored adapter lacks",
            action=f"write adapter: {{name: {config.adapter.name}, keep: merged}}",
        )


def _refuse_best_model(what: str) -> None:
    raise ConfigError(
        arrived=f"training.load_best_model_at_end with {what}",
        expected="choose_by alone, which keeps the weights of the best evaluation: one of "
        + ", ".join(CHOICES),
        action="remove load_best_model_at_end and metric_for_best_model",
    )
