"""Where to cut: planted drops are found, noise is not taken for one, the cut can be applied."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from hf_transfer_plugin.adapt.schedules import FreezingSchedule
from hf_transfer_plugin.errors import DataError
from hf_transfer_plugin.layers import layer_groups, select_groups
from hf_transfer_plugin.select.layer_boundary import (
    Boundary,
    find_boundary,
    pointwise_intervals,
    suggested_cut,
)
from hf_transfer_plugin.select.resampling import half_samples
from tests.layer_cases import CASES

EXAMPLES = 400
LABELS = [number % 4 for number in range(EXAMPLES)]
HALVES = half_samples(LABELS, draws=100, seed=0)


def _hits(accuracies: Sequence[float], seed: int) -> np.ndarray:
    """Return [layers, examples]; layers fail mostly on the same examples, as real ones do."""
    random = np.random.default_rng(seed)
    hardness = 0.7 * random.random(EXAMPLES) + 0.3 * random.random((len(accuracies), EXAMPLES))
    limits = [np.quantile(row, share) for row, share in zip(hardness, accuracies, strict=True)]
    return hardness < np.asarray(limits)[:, None]


def _found(
    accuracies: Sequence[float], rivals: Sequence[float] = (0.3, 0.3), seed: int = 0
) -> Boundary:
    sides = []
    for hits in (_hits(accuracies, seed), _hits(rivals, seed + 1)):
        draws = np.stack([hits[:, half].mean(1) for half in HALVES], 1)
        sides += [hits.mean(1), draws]
    return find_boundary(*sides, confidence=0.95)


# name -> (accuracy of each layer, random ones, best, source-specific from, better than random)
PLANTED: dict[str, tuple[tuple[float, ...], tuple[float, ...], int, int | None, bool]] = {
    "rises to the end": ((0.4, 0.6, 0.75, 0.9), (0.4, 0.4), 3, None, True),
    "drops at the end": ((0.4, 0.9, 0.75, 0.5), (0.4, 0.4), 1, 2, True),
    "drops and comes back": ((0.4, 0.9, 0.6, 0.89), (0.4, 0.4), 1, None, True),
    "holds, then drops": ((0.5, 0.9, 0.89, 0.7), (0.4, 0.4), 1, 3, True),
    "best at the input": ((0.9, 0.7, 0.6), (0.4, 0.4), 0, 1, True),
    "one layer": ((0.8,), (0.3,), 0, None, True),
    "random does as well": ((0.5, 0.6), (0.6, 0.55), 1, None, False),
    "random does better": ((0.5, 0.6), (0.8, 0.5), 1, None, False),
}


@pytest.mark.parametrize("name", PLANTED)
def test_planted_layers(name: str) -> None:
    accuracies, rivals, best, first, better = PLANTED[name]
    for seed in range(0, 20, 2):
        found = _found(accuracies, rivals, seed)
        assert found.best == best
        assert found.source_specific_from == first
        assert found.beats_rival == better
        assert not found.below_best[found.best]


def test_the_tables_are_whole() -> None:
    assert len(PLANTED) == 8
    assert len(CUTS) == 8


def test_noise_is_seldom_taken_for_a_drop() -> None:
    """Layers that are truly equal: a drop, or a lead over random ones, in 5 % of cases at most."""
    random = np.random.default_rng(0)
    repeats = 200
    drops = leads = 0
    for _ in range(repeats):
        hits = random.random((10, EXAMPLES)) < 0.7
        draws = np.stack([hits[:, half].mean(1) for half in HALVES], 1)
        full = hits.mean(1)
        found = find_boundary(full[:5], draws[:5], full[5:], draws[5:], confidence=0.95)
        drops += bool(found.below_best.any())
        leads += found.beats_rival
    assert drops <= 0.08 * repeats
    assert leads <= 0.08 * repeats


def test_equal_layers_keep_the_last_one() -> None:
    draws = [[0.5, 0.7, 0.6]] * 3
    found = find_boundary([0.6] * 3, draws, [0.1], [[0.1, 0.2, 0.0]], confidence=0.9)
    assert found.best == 2 and not found.below_best.any()


def test_intervals_cover_the_truth() -> None:
    random = np.random.default_rng(1)
    hits = random.random((500, EXAMPLES)) < 0.8
    draws = np.stack([hits[:, half].mean(1) for half in HALVES], 1)
    lower, upper = pointwise_intervals(hits.mean(1), draws, 0.95)
    assert 0.91 <= np.mean((lower <= 0.8) & (upper >= 0.8)) <= 0.98


def test_scores_that_are_not_finite_are_refused() -> None:
    with pytest.raises(DataError, match="not finite"):
        find_boundary(
            [0.5, np.nan], [[0.5, 0.6], [np.nan, 0.5]], [0.1], [[0.1, 0.2]], confidence=0.9
        )


# (bare network, classifier) -> (best layer, groups of the classifier that train)
CUTS: dict[tuple[str, str, str], tuple[str, ...]] = {
    ("bert-bare", "bert", "embeddings"): ("layer.0", "layer.1", "neck", "head"),
    ("bert-bare", "bert", "layer.0"): ("layer.1", "neck", "head"),
    ("bert-bare", "bert", "layer.1"): ("neck", "head"),
    ("bert-bare", "bert", "neck"): ("head",),
    ("vit-bare", "vit", "layers.0"): ("layers.1", "neck", "head"),
    ("vit-bare", "vit", "neck"): ("head",),
    ("resnet-bare", "resnet", "stages.2.layers.0"): (
        *("stages.2.layers.1", "stages.3.layers.0", "head"),
    ),
    ("resnet-bare", "resnet", "stages.3.layers.0"): ("head",),
}


@pytest.mark.parametrize("case", CUTS)
def test_the_cut_trains_what_follows(case: tuple[str, str, str]) -> None:
    bare, whole, best = case
    groups = layer_groups(CASES[bare].build()).names
    freeze, train = suggested_cut(groups, best)
    assert freeze == groups[: groups.index(best) + 1]
    classifier = layer_groups(CASES[whole].build())
    (phase,) = FreezingSchedule.from_config({"phases": [{"train": list(train)}]}).phases
    trained = select_groups(classifier, phase.train)
    assert trained == CUTS[case]
    assert set(trained) | set(freeze) == set(classifier.names)
