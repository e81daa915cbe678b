"""Clusters of features, and how well they agree with classes that were not read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hf_transfer_plugin.errors import ConfigError, DataError
from hf_transfer_plugin.select.score_inputs import Floats, Integers, checked_table

__all__ = [
    "METHODS",
    "ClusterScores",
    "Method",
    "as_classes",
    "cluster",
    "clustering_accuracy",
    "clustering_scores",
    "number_of_clusters",
    "reduced",
]

Method = Literal["k-means", "agglomerative"]
METHODS: tuple[Method, ...] = ("k-means", "agglomerative")
STARTS = 10  # of k-means; the one with the smallest spread is kept


@dataclass(frozen=True)
class ClusterScores:
    """How well clusters agree with classes.

    Attributes:
        adjusted_rand: 0 is chance, 1 the same division (Hubert & Arabie 1985).
        mutual_information: normalised by the mean of both entropies, between 0 and 1; it grows
            with the number of clusters, so compare equal numbers.
        accuracy: share of examples whose cluster is matched with their class, each cluster with
            one class at most, by the best of all matchings (Kuhn 1955).
    """

    adjusted_rand: float
    mutual_information: float
    accuracy: float


def reduced(
    features: Any, components: int | None, *, whiten: bool = False, unit: bool = True
) -> Floats:
    """Return features as they are clustered: fewer directions, then rows of length one.

    Args:
        features: [examples, features], or a sparse table (TF-IDF), which is not centred.
        components: principal components that are kept; None: all.
        whiten: give each component the same variance.
        unit: scale each row to length one, so that distances are those of cosines.

    Returns:
        [examples, kept features].

    Raises:
        DataError: for a table of a wrong shape, or values that are not finite.
        ConfigError: for fewer than one component.
    """
    from scipy.sparse import issparse
    from sklearn.decomposition import PCA, TruncatedSVD

    if components is not None and components < 1:
        raise ConfigError(
            arrived=f"components={components}",
            expected="a number from 1, or none for all",
            action="correct components",
        )
    sparse = issparse(features)
    if not sparse:
        features = checked_table(features, "clusters")
    most = min(features.shape) - (1 if sparse else 0)
    kept = most if components is None else min(components, most)
    if sparse:
        table = TruncatedSVD(kept, random_state=0).fit_transform(features)
        if whiten:
            table = table / np.maximum(table.std(axis=0), np.finfo(np.float64).tiny)
    elif components is None and not whiten:
        table = features
    else:
        table = PCA(kept, whiten=whiten, random_state=0).fit_transform(features)
    if unit:
        lengths = np.linalg.norm(table, axis=1, keepdims=True)
        table = table / np.where(lengths == 0, 1.0, lengths)
    return np.asarray(table, dtype=np.float64)


def cluster(
    features: ArrayLike, count: int, *, method: Method = "k-means", seed: int = 0
) -> Integers:
    """Divide examples into clusters; no labels are read.

    Args:
        features: [examples, features], such as `reduced` returns.
        count: of clusters.
        method: "k-means" (ten starts, k-means++), or "agglomerative" (Ward), whose memory grows
            with the square of the examples and which draws nothing.
        seed: of k-means.

    Returns:
        [examples], cluster numbers from 0.

    Raises:
        DataError: for fewer examples than clusters.
        ConfigError: for an unknown method, or fewer than two clusters.
    """
    from sklearn.cluster import AgglomerativeClustering, KMeans

    table = checked_table(features, "clusters")
    if method not in METHODS or count < 2:
        raise ConfigError(
            arrived=f"{count} clusters by {method!r}",
            expected="two clusters or more, by " + " or ".join(METHODS),
            action="correct the method or the number",
        )
    if len(table) < count:
        raise DataError(
            arrived=f"{count} clusters of {len(table)} examples",
            expected="at least as many examples as clusters",
            action="take more examples or fewer clusters",
        )
    if method == "k-means":
        model: Any = KMeans(count, n_init=STARTS, random_state=seed)
    else:
        model = AgglomerativeClustering(count)
    return np.asarray(model.fit_predict(table), dtype=np.intp)


def clustering_accuracy(clusters: ArrayLike, labels: ArrayLike) -> float:
    """Return the share of examples that the best matching of clusters and classes gets right.

    Args:
        clusters: [examples], integers.
        labels: [examples], integers or strings.

    References:
        Kuhn, "The Hungarian Method for the Assignment Problem" (1955).
    """
    table = _contingency(clusters, labels)
    return float(table[_matched(table)].sum() / table.sum())


def as_classes(clusters: ArrayLike, labels: ArrayLike) -> Integers:
    """Return clusters [examples] under the numbers of the classes that they match best.

    Args:
        clusters: [examples], integers.
        labels: [examples], class numbers 0, 1, ...; a cluster beyond them gets a further number.
    """
    names, places = np.unique(np.asarray(clusters), return_inverse=True)
    classes = np.unique(np.asarray(labels))
    rows, columns = _matched(_contingency(clusters, labels))
    numbers = int(classes.max()) + 1 + np.arange(len(names))
    numbers[rows] = classes[columns]
    return numbers[places]


def _matched(table: NDArray[np.int64]) -> tuple[Integers, Integers]:
    """Return the rows and columns of the one-to-one matching with the largest sum."""
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(table, maximize=True)
    return rows, columns


def clustering_scores(clusters: ArrayLike, labels: ArrayLike) -> ClusterScores:
    """Score clusters against classes.

    Args:
        clusters: [examples], integers.
        labels: [examples], integers or strings.

    Raises:
        DataError: for lengths that differ.
    """
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    accuracy = clustering_accuracy(clusters, labels)
    return ClusterScores(
        float(adjusted_rand_score(labels, clusters)),
        float(normalized_mutual_info_score(labels, clusters)),
        accuracy,
    )


def number_of_clusters(
    features: ArrayLike, counts: Sequence[int], *, method: Method = "k-means", seed: int = 0
) -> tuple[int, dict[int, float]]:
    """Choose the number of clusters with the largest silhouette; no labels are read.

    Args:
        features: [examples, features].
        counts: numbers to try, each at least 2 and below the number of examples.
        method: as in `cluster`.
        seed: of k-means.

    Returns:
        The number, and each number's mean silhouette, between -1 and 1.

    Raises:
        ConfigError: when there is nothing to try.

    References:
        Rousseeuw, "Silhouettes" (1987).
    """
    from sklearn.metrics import silhouette_score

    table = checked_table(features, "clusters")
    fitting = [count for count in counts if 2 <= count < len(table)]
    if not fitting:
        raise ConfigError(
            arrived=f"numbers of clusters {list(counts)} for {len(table)} examples",
            expected="one or more from 2 and below the number of examples",
            action="correct the numbers to try",
        )
    found = {}
    for count in fitting:
        clusters = cluster(table, count, method=method, seed=seed)
        found[count] = float(silhouette_score(table, clusters)) if len(set(clusters)) > 1 else -1.0
    return max(found, key=lambda count: found[count]), found


def _contingency(clusters: ArrayLike, labels: ArrayLike) -> NDArray[np.int64]:
    """Return the number of examples of each cluster (row) and class (column)."""
    one, other = (np.unique(np.asarray(each), return_inverse=True) for each in (clusters, labels))
    if one[1].shape != other[1].shape or one[1].size == 0:
        raise DataError(
            arrived=f"{one[1].size} clusters' numbers for {other[1].size} labels",
            expected="one of each for every example",
            action="pass clusters and labels of the same rows",
        )
    table = np.zeros((len(one[0]), len(other[0])), dtype=np.int64)
    np.add.at(table, (one[1], other[1]), 1)
    return table
