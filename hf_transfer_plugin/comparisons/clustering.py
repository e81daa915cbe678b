"""Clusters of transferred features, held against raw features and random weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hf_transfer_plugin.checkpoints import Checkpoint
from hf_transfer_plugin.comparisons.embedding import embedded
from hf_transfer_plugin.config import RunConfig
from hf_transfer_plugin.data import TargetData, load_data
from hf_transfer_plugin.data.plain import plain_features
from hf_transfer_plugin.decide.verdict import judge
from hf_transfer_plugin.errors import ConfigError, DataError
from hf_transfer_plugin.records import Verdict
from hf_transfer_plugin.report.chart_clusters import clusters_chart
from hf_transfer_plugin.select.clusters import (
    METHODS,
    Method,
    as_classes,
    cluster,
    clustering_scores,
    number_of_clusters,
    reduced,
)
from hf_transfer_plugin.select.stratified_rows import stratified_rows
from hf_transfer_plugin.serialization import Record, write_atomic
from hf_transfer_plugin.terminal import track

__all__ = ["SCORES", "ClusterComparison", "cluster_comparison"]

SCORES = ("adjusted_rand", "mutual_information", "accuracy")
TRANSFERRED, RANDOM = "transferred", "random-weights"
RAW = {"text-classification": "tfidf", "image-classification": "pixels"}
SHARE = 0.8  # of the pool that each seed clusters
MANY = 20  # classes
DRAWN = 1000


@dataclass(frozen=True)
class ClusterComparison(Record):
    """Scores of clusters over seeds.

    Attributes:
        checkpoint: what computed the features.
        data: path.
        method: of clustering.
        examples: rows of the pool; each seed clusters 80 % of them, drawn at random.
        clusters: how many: as many as there are classes.
        seeds: of the rows, of k-means and of the random weights.
        scores: features -> score -> one value a seed; features are "transferred", "tfidf" or
            "pixels", and "random-weights".
        verdicts: "FEATURES SCORE" -> transferred against these features.
        silhouettes: number of clusters -> mean silhouette of transferred features.
        chosen: the number with the largest, without labels.
        files: what was written.
    """

    file_name = "clusters.json"

    checkpoint: str
    data: str
    method: str
    examples: int
    clusters: int
    seeds: tuple[int, ...]
    scores: Mapping[str, Mapping[str, tuple[float, ...]]]
    verdicts: Mapping[str, Verdict]
    silhouettes: Mapping[str, float]
    chosen: int
    files: tuple[str, ...]


def cluster_comparison(
    config: RunConfig,
    *,
    method: Method = "k-means",
    components: int | None = 50,
    whiten: bool = False,
    examples: int = 1000,
    projection: str = "pca",
) -> ClusterComparison:
    """Cluster features of a checkpoint, raw features, and those of the same network untrained.

    Labels are read for the scores and for the number of clusters alone. All features go through
    the same reduction. The train split is clustered; validation and test are not read.

    Args:
        config: data, checkpoint, seeds, margin and confidence; files go into its run folder.
        method: "k-means" or "agglomerative".
        components: principal components that are kept; None: all.
        whiten: give each component the same variance.
        examples: size of the stratified pool.
        projection: of the picture: "pca" or "tsne".

    Raises:
        ConfigError: for an option that does not exist, or a config without checkpoint.
        DataError: for data that cannot be read, or too few rows.
        CheckpointError: when the checkpoint gives no features.
        RecordError: when the run folder cannot be written.
    """
    name = _check(config, method, projection)
    data = load_data(config.data, config.task)
    labels = np.array(data.labels("train"))
    pool = list(stratified_rows(data.labels("train"), examples, config.data.seed))
    labels, classes = labels[pool], len(data.class_names)
    if SHARE * len(pool) < 2 * classes:
        raise DataError(
            arrived=f"{len(pool)} rows of {classes} classes",
            expected="several rows of each class",
            action="take more examples",
        )
    checkpoint = Checkpoint(
        name, revision=config.revision, trust_remote_code=config.trust_remote_code
    )
    raw = RAW[config.task]
    fixed = {
        TRANSFERRED: embedded(checkpoint, data, "train", rows=pool),
        raw: plain_features(data)["train"][pool],
    }
    tables = {kind: reduced(table, components, whiten=whiten) for kind, table in fixed.items()}
    found: dict[str, dict[str, list[float]]] = {
        kind: {score: [] for score in SCORES} for kind in (TRANSFERRED, raw, RANDOM)
    }
    for seed in track(config.seeds, "clusters"):
        untrained = embedded(checkpoint, data, "train", rows=pool, weights="random", seed=seed)
        tables[RANDOM] = reduced(untrained, components, whiten=whiten)
        drawn = np.random.default_rng(seed).permutation(len(pool))[: round(SHARE * len(pool))]
        for kind, table in tables.items():
            clusters = cluster(table[drawn], classes, method=method, seed=seed)
            reached = clustering_scores(clusters, labels[drawn])
            for score in SCORES:
                found[kind][score].append(getattr(reached, score))
    counts = _tried(classes)
    chosen, silhouettes = number_of_clusters(tables[TRANSFERRED], counts, method=method)
    verdicts = {
        f"{kind} {score}": judge(
            found[TRANSFERRED][score],
            found[kind][score],
            margin=config.margin,
            confidence=config.confidence,
            baseline=kind,
        )
        for kind in (raw, RANDOM)
        for score in SCORES
    }
    folder = Path(config.run_folder)
    picture = _picture(data, tables[TRANSFERRED], labels, projection, method)
    files = [write_atomic(folder / "plots" / "clusters.png", picture)]
    result = ClusterComparison(
        checkpoint=name,
        data=config.data.path,
        method=method,
        examples=len(pool),
        clusters=classes,
        seeds=config.seeds,
        scores={k: {s: tuple(v) for s, v in each.items()} for k, each in found.items()},
        verdicts=verdicts,
        silhouettes={str(count): value for count, value in silhouettes.items()},
        chosen=chosen,
        files=(*(str(file) for file in files), str(folder / ClusterComparison.file_name)),
    )
    result.save(folder / result.file_name)
    return result


def _tried(classes: int) -> list[int]:
    """Return numbers of clusters around that of the classes: all, or of many classes some."""
    if classes <= MANY:
        return list(range(2, classes + 11))
    return sorted({max(2, round(classes * share)) for share in (0.25, 0.5, 0.75, 1, 1.25, 1.5)})


def _check(config: RunConfig, method: str, projection: str) -> str:
    if method not in METHODS:
        raise ConfigError(f"method {method!r}", " or ".join(METHODS), "correct the method")
    if projection not in ("pca", "tsne"):
        raise ConfigError(f"projection {projection!r}", "pca or tsne", "correct the projection")
    if config.checkpoint is None:
        raise ConfigError(
            arrived="a config without checkpoint",
            expected="the checkpoint whose features are clustered",
            action="add checkpoint, such as sample:minilm",
        )
    return config.checkpoint


def _picture(data: TargetData, table: Any, labels: Any, projection: str, method: Method) -> bytes:
    """Draw at most 1,000 rows: by class, and by cluster."""
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    shown = np.random.default_rng(0).permutation(len(table))[:DRAWN]
    clusters = as_classes(cluster(table, len(data.class_names), method=method), labels)[shown]
    if projection == "tsne":
        nearest = min(30, (len(shown) - 1) // 3)
        places = TSNE(perplexity=nearest, init="pca", random_state=0).fit_transform(table[shown])
    else:
        places = PCA(2, random_state=0).fit_transform(table[shown])
    return clusters_chart(places, labels[shown], clusters, data.class_names, projection).image
