"""Source rows by their weights, against the target's few labels alone."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hf_transfer_plugin.adapt.instances import (
    InstanceWeights,
    density_ratio_weights,
    kernel_mean_matching_weights,
    shared_features,
)
from hf_transfer_plugin.checkpoints import Checkpoint
from hf_transfer_plugin.comparisons.embedding import embedded
from hf_transfer_plugin.comparisons.instance_files import weight_files
from hf_transfer_plugin.comparisons.instance_settings import InstanceTransferConfig
from hf_transfer_plugin.comparisons.instance_ways import TARGET_ONLY, Learned, Tables, learn
from hf_transfer_plugin.data import TargetData, load_data, load_source
from hf_transfer_plugin.decide.verdict import judge
from hf_transfer_plugin.errors import DataError
from hf_transfer_plugin.metrics import classification_metrics
from hf_transfer_plugin.records import Plan, RunResult, SeedResult, Verdict
from hf_transfer_plugin.select.stratified_rows import stratified_rows
from hf_transfer_plugin.serialization import write_atomic
from hf_transfer_plugin.terminal import track

__all__ = ["InstanceComparison", "instance_transfer"]


@dataclass(frozen=True)
class InstanceComparison:
    """What each way reached, and what the source rows weigh.

    Attributes:
        results: "target-only" first, then each way; their files are in the run folder.
        verdicts: way -> verdict against "target-only".
        weights: "density-ratio", "mean-matching" and "tradaboost" -> weights; of the last those of
            the first seed.
        files: what was written.
    """

    results: tuple[RunResult, ...]
    verdicts: Mapping[str, Verdict]
    weights: Mapping[str, InstanceWeights]
    files: tuple[Path, ...]


def instance_transfer(config: InstanceTransferConfig) -> InstanceComparison:
    """Compare ways to use a source with the target's few labels alone, on frozen features.

    Every way is a logistic regression (TrAdaBoost: several) on features of one checkpoint. The
    weights of source rows read target rows, not their labels; TrAdaBoost reads the few labels.

    Args:
        config: what to compare.

    Raises:
        DataError: for data that cannot be learned from, classes that differ between source and
            target, or fewer target rows than labels asked for.
        CheckpointError: when the checkpoint gives no features.
        RecordError: when the run folder cannot be written.
    """
    source = load_source(config.source_data, config.task)
    target = load_data(replace(config.data, train_examples=None), config.task)
    _check(source, target, config)
    tables = _tables(config, source, target)
    weights: dict[str, InstanceWeights] = {}
    if "density-ratio" in config.ways:
        weights["density-ratio"] = density_ratio_weights(
            tables.source,
            tables.target,
            folds=config.folds,
            flatten=config.flatten,
            least_share=config.least_share,
        )
    if "mean-matching" in config.ways:
        weights["mean-matching"] = kernel_mean_matching_weights(
            tables.source, tables.target, bound=config.bound, epsilon=config.epsilon
        )
    known = dict(weights)
    results = []
    for way in (TARGET_ONLY, *config.ways):
        seeds = []
        for seed in track(config.seeds, way):
            start = time.perf_counter()
            drawn = stratified_rows(target.labels("train"), config.target_labels, seed)
            learned = learn(way, tables, np.asarray(drawn), known, config, seed)
            if learned.weights is not None:
                weights.setdefault(way, learned.weights)
            seeds.append(_seed_result(seed, learned, tables, time.perf_counter() - start))
        plan = Plan(
            name=way,
            task=config.task,
            checkpoint=config.checkpoint,
            data=config.data,
            seeds=config.seeds,
        )
        result = RunResult(
            plan=plan,
            class_names=target.class_names,
            labels=target.labels("test"),
            seeds=tuple(seeds),
            best_seed=config.seeds[0],
            data=target.summary.fingerprint,
        )
        results.append(result)
    folder = Path(config.run_folder)
    files = [config.save(folder / config.file_name)]
    files += [each.save(folder / "results" / f"{each.plan.name}.json") for each in results]
    for name, content in weight_files(config, source, weights).items():
        files.append(write_atomic(folder / name, content))
    verdicts = {
        each.plan.name: judge(each, results[0], margin=config.margin, confidence=config.confidence)
        for each in results[1:]
    }
    return InstanceComparison(tuple(results), verdicts, weights, tuple(files))


def _check(source: TargetData, target: TargetData, config: InstanceTransferConfig) -> None:
    if set(source.class_names) != set(target.class_names):
        raise DataError(
            arrived=f"classes {list(source.class_names)} in the source, "
            f"{list(target.class_names)} in the target",
            expected="the same classes",
            action="rename or drop classes; for other classes transfer a checkpoint, not rows",
        )
    rows = len(target.labels("train"))
    if config.target_labels > rows - len(target.class_names):
        raise DataError(
            arrived=f"target_labels={config.target_labels} of {rows} rows of train",
            expected="fewer labels than rows, to be drawn anew for each seed",
            action="lower target_labels",
        )


def _tables(config: InstanceTransferConfig, source: TargetData, target: TargetData) -> Tables:
    """Embed all rows; the scale comes from train of both domains, each counting alike."""
    checkpoint = Checkpoint(config.checkpoint)
    tables = [
        embedded(checkpoint, data, role)
        for data, role in ((source, "train"), (target, "train"), (target, "test"))
    ]
    shared = shared_features(tables[0], tables[1], config.components)
    tables = [shared(table) for table in tables]
    numbers = {name: number for number, name in enumerate(target.class_names)}
    same = np.array([numbers[name] for name in source.class_names])
    return Tables(
        source=tables[0],
        source_labels=same[list(source.labels("train"))],
        target=tables[1],
        target_labels=np.array(target.labels("train")),
        test=tables[2],
        test_labels=np.array(target.labels("test")),
    )


def _seed_result(seed: int, learned: Learned, tables: Tables, seconds: float) -> SeedResult:
    predictions = learned.probabilities.argmax(axis=1)
    return SeedResult(
        seed=seed,
        learning_rate=0.0,
        steps=0,
        test=classification_metrics(tables.test_labels, predictions),
        validation={"accuracy": learned.chosen_at},
        curve=(),
        predictions=tuple(predictions.tolist()),
        confidences=tuple(learned.probabilities.max(axis=1).tolist()),
        wall_seconds=seconds,
    )
