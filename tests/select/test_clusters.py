"""Clusters: constructed ones are found and scored, whatever their numbers are called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from hf_transfer_plugin.errors import TransferError
from hf_transfer_plugin.select.clusters import (
    METHODS,
    Method,
    as_classes,
    cluster,
    clustering_accuracy,
    clustering_scores,
    number_of_clusters,
    reduced,
)

DRAW = np.random.default_rng(0)
CLASSES = np.repeat([0, 1, 2], 40)
TABLE = np.eye(3)[CLASSES] * 5 + DRAW.normal(size=(120, 3)) * 0.5


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("table", [TABLE, csr_matrix(np.abs(TABLE))], ids=["dense", "sparse"])
def test_constructed_clusters_are_found(method: Method, table: Any) -> None:
    kept = reduced(table, 2)
    assert kept.shape == (120, 2) and np.linalg.norm(kept, axis=1) == pytest.approx(1)
    found = clustering_scores(cluster(reduced(table, None), 3, method=method), CLASSES)
    assert (found.adjusted_rand, found.mutual_information, found.accuracy) == (1, 1, 1)


def test_the_number_of_clusters_without_labels() -> None:
    chosen, silhouettes = number_of_clusters(TABLE, range(2, 7))
    assert chosen == 3 and list(silhouettes) == [2, 3, 4, 5, 6]


def test_scores_of_chance_and_of_other_names() -> None:
    chance = clustering_scores(DRAW.integers(0, 3, 120), CLASSES)
    assert abs(chance.adjusted_rand) < 0.1 and chance.accuracy < 0.5
    # A cluster is matched with one class at most: two clusters cannot both be class 0.
    assert clustering_accuracy([7, 7, 5, 5], ["b", "b", "a", "a"]) == 1
    assert clustering_accuracy([0, 1, 2, 3], [0, 0, 0, 0]) == 0.25
    assert as_classes([7, 7, 5, 5, 6], [2, 2, 0, 0, 0]).tolist() == [2, 2, 0, 0, 4]


def test_whitening_lets_a_faint_direction_count() -> None:
    loud = DRAW.normal(size=(200, 1)) * 50
    faint = np.repeat([[-1.0], [1.0]], 100, axis=0) + DRAW.normal(size=(200, 1)) * 0.1
    table, classes = np.hstack([loud, faint]), np.repeat([0, 1], 100)
    plain, white = (
        clustering_accuracy(cluster(reduced(table, 2, whiten=w, unit=False), 2), classes)
        for w in (False, True)
    )
    assert plain < 0.7 and white > 0.8


BAD: dict[str, tuple[Callable[[], Any], str]] = {
    "method": (lambda: cluster(TABLE, 3, method="nearest"), "'nearest'"),  # type: ignore[arg-type]
    "one": (lambda: cluster(TABLE, 1), "1 clusters"),
    "many": (lambda: cluster(TABLE[:2], 3), "3 clusters of 2 examples"),
    "components": (lambda: reduced(TABLE, 0), "components=0"),
    "lengths": (lambda: clustering_accuracy([0, 1], [0]), "2 clusters' numbers for 1 labels"),
    "counts": (lambda: number_of_clusters(TABLE, [1]), "numbers of clusters [1]"),
}


@pytest.mark.parametrize("call, words", BAD.values(), ids=BAD)
def test_what_does_not_fit(call: Callable[[], Any], words: str) -> None:
    with pytest.raises(TransferError) as caught:
        call()
    assert words in str(caught.value)
