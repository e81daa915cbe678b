"""Distances between two domains whose distance is known, and similarity of two tables."""

import warnings
from itertools import permutations

import numpy as np
import pytest

from hf_transfer_plugin.errors import DataError
from hf_transfer_plugin.select.distances import (
    TransferBound,
    linear_cka,
    mmd,
    proxy_a_distance,
    transfer_bound,
)
from hf_transfer_plugin.select.kernel_alignment import debiased_cka
from tests.select.planted import rotation

RNG = np.random.default_rng(0)
ONE = RNG.normal(size=(200, 10))
SAME = RNG.normal(size=(150, 10))
FAR = RNG.normal(size=(150, 10)) + 8.0
WIDER = 3.0 * RNG.normal(size=(150, 10))  # equal means: no line tells them apart


def test_one_distribution_is_near_and_disjoint_ones_are_far():
    assert proxy_a_distance(ONE, SAME) < 0.25
    assert proxy_a_distance(ONE, FAR) == 2.0
    near, far = mmd(ONE, SAME), mmd(ONE, FAR)
    assert abs(near.squared) < 0.02 < 0.3 < far.squared <= 2.0
    assert near.p_value > 0.05
    assert far.p_value == pytest.approx(1 / 201)


def test_the_same_rows_have_no_distance():
    assert proxy_a_distance(ONE, ONE) == 0.0
    assert mmd(ONE, ONE).squared <= 0.0
    assert mmd(ONE, ONE).p_value > 0.5
    assert linear_cka(ONE, ONE) == pytest.approx(1.0)


def test_distances_grow_with_the_shift():
    shifts = [SAME + shift for shift in (0.0, 0.3, 0.8, 2.0)]
    for measure in (proxy_a_distance, lambda one, other: mmd(one, other).squared):
        found = [measure(ONE, shifted) for shifted in shifts]
        assert found == sorted(found)
        assert found[1] < found[2] < found[3]


def test_mmd_sees_what_no_line_tells_apart():
    assert proxy_a_distance(ONE, WIDER) < 0.3
    assert mmd(ONE, WIDER).p_value < 0.01


def test_unequal_numbers_do_not_look_like_a_distance():
    few = np.random.default_rng(5).normal(size=(30, 10))
    many = np.random.default_rng(6).normal(size=(600, 10))
    # naming the larger domain would be right for 95 % of the rows
    assert proxy_a_distance(few, many) < 0.4
    assert mmd(few, many).p_value > 0.05


@pytest.mark.parametrize("change", [lambda x: 1e-60 * x, lambda x: 1e60 * x, lambda x: x + 100.0])
def test_scale_and_offset_change_no_distance(change):
    assert proxy_a_distance(change(ONE), change(WIDER)) == pytest.approx(
        proxy_a_distance(ONE, WIDER), abs=0.02
    )
    before, after = mmd(ONE, WIDER), mmd(change(ONE), change(WIDER))
    assert after.squared == pytest.approx(before.squared, abs=1e-9)
    assert after.p_value == before.p_value
    assert linear_cka(change(ONE), ONE) == pytest.approx(1.0)


def test_mmd_agrees_with_the_sum_over_pairs():
    both = np.vstack([ONE[:12], FAR[:9] - 7.0])
    gaps = [(i, j, np.sum((both[i] - both[j]) ** 2)) for i in range(21) for j in range(21)]
    mean = np.mean([gap for i, j, gap in gaps if i != j])
    total = 0.0
    for i, j, gap in gaps:
        kernel = np.mean([np.exp(-gap / (2 * mean * 2.0**power)) for power in range(-3, 2)])
        if i != j:
            weight = {(1, 1): 1 / (12 * 11), (0, 0): 1 / (9 * 8)}.get((i < 12, j < 12), -1 / 108)
            total += weight * kernel
    assert mmd(both[:12], both[12:]).squared == pytest.approx(total, abs=1e-12)


def test_p_values_of_one_distribution_are_spread_evenly():
    values = []
    for seed in range(60):
        rows = np.random.default_rng(seed).normal(size=(40, 4))
        values.append(mmd(rows[:20], rows[20:], permutations=100, seed=seed).p_value)
    assert 0.35 < np.mean(values) < 0.65
    assert np.mean(np.array(values) <= 0.1) < 0.25


# CKA


@pytest.mark.parametrize("examples", [200, 8])
def test_cka_agrees_with_centred_kernels_in_both_forms(examples):
    one = ONE[:examples]
    other = np.hstack([one[:, :4] ** 2, RNG.normal(size=(examples, 3))])
    centre = np.eye(examples) - 1.0 / examples
    first, second = (centre @ table @ table.T @ centre for table in (one, other))
    direct = np.sum(first * second) / np.linalg.norm(first) / np.linalg.norm(second)
    assert linear_cka(one, other) == pytest.approx(direct, abs=1e-12)
    assert linear_cka(other, one) == pytest.approx(direct, abs=1e-12)


def test_cka_ignores_rotation_scale_and_offset_and_sees_the_rest():
    assert linear_cka(ONE, 3.0 * ONE @ rotation(10) + 5.0) == pytest.approx(1.0)
    assert linear_cka(ONE, ONE * np.logspace(-1, 1, 10)) < 0.9
    assert linear_cka(ONE, RNG.normal(size=(200, 10))) < 0.15
    assert linear_cka(ONE, np.ones((200, 3))) == 0.0


# What cannot be compared, and what is hard to


DEGENERATE = {
    "constant": (np.ones((30, 4)), np.ones((30, 4)), 0.0),
    "two rows each": (ONE[:2], FAR[:2], 2.0),
    "one column": (ONE[:, :1], FAR[:, :1], 2.0),
    "more columns than rows": (np.tile(ONE[:20], 30), np.tile(FAR[:20], 30), 2.0),
    "duplicates": (np.repeat(ONE[:1], 30, axis=0), np.repeat(FAR[:1], 30, axis=0), 2.0),
    "float16": (ONE.astype(np.float16), FAR.astype(np.float16), 2.0),
    "huge": (1e98 * ONE, 1e98 * FAR, 2.0),
    "tiny": (1e-99 * ONE, 1e-99 * FAR, 2.0),
}


@pytest.mark.parametrize("case", DEGENERATE)
def test_degenerate_features_have_a_distance_without_a_warning(case):
    one, other, distance = DEGENERATE[case]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert proxy_a_distance(one, other) == pytest.approx(distance, abs=0.05)
        assert np.isfinite(mmd(one, other).squared)
        assert 0.0 < mmd(one, other).p_value <= 1.0
        assert 0.0 <= linear_cka(one[:30], other[:30]) <= 1.0


REFUSED = {
    "widths": (proxy_a_distance, ONE, FAR[:, :4], "equal width"),
    "one row": (mmd, ONE, FAR[:1], "at least two examples each"),
    "NaN": (proxy_a_distance, ONE, np.full((5, 10), np.nan), "NaN"),
    "one axis": (mmd, ONE[:, 0], FAR, "an array of shape (200,)"),
    "rows of two tables": (linear_cka, ONE, FAR, "200 and 150 rows"),
    "no error": (transfer_bound, 1.2, 1.0, "source_error=1.2"),
    "no distance": (transfer_bound, 0.2, 2.5, "a_distance=2.5"),
    "NaN error": (transfer_bound, float("nan"), 1.0, "source_error=nan"),
}


def test_the_tables_are_complete():
    assert len(DEGENERATE) == len(REFUSED) == 8


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_compared_is_refused(case):
    measure, one, other, text = REFUSED[case]
    with pytest.raises(DataError) as caught:
        measure(one, other)
    assert caught.value.arrived.startswith(measure.__name__)
    assert text in str(caught.value)


def test_one_fold_holds_nothing_out():
    with pytest.raises(DataError, match="proxy_a_distance got folds=1"):
        proxy_a_distance(ONE, FAR, folds=1)


def test_the_bound_is_the_sum_of_its_parts():
    assert transfer_bound(0.1, 1.0) == TransferBound(source_error=0.1, half_distance=0.5)
    assert transfer_bound(0.1, 1.0).total == pytest.approx(0.6)
    assert transfer_bound(0.0, 0.0).total == 0.0


def test_debiased_cka_is_fair_to_few_examples():
    few, other = (np.random.default_rng(seed).normal(size=(24, 300)) for seed in (1, 2))
    assert linear_cka(few, other) > 0.8
    assert abs(debiased_cka(few, other)) < 0.1
    turned, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(300, 300)))
    assert debiased_cka(1e-30 * few @ turned + 5e-30, few) == pytest.approx(1.0)
    assert np.isnan(debiased_cka(few, np.ones((24, 2))))
    with pytest.raises(DataError, match="at least 4"):
        debiased_cka(few[:3], other[:3])


def test_debiased_cka_against_its_sum_over_quadruples():
    one, other = (np.random.default_rng(seed).normal(size=(7, 3)) for seed in (4, 5))

    def dependence(first: np.ndarray, second: np.ndarray) -> float:
        k, m = first @ first.T, second @ second.T
        terms = [
            k[i, j] * m[i, j] + k[i, j] * m[q, r] - 2.0 * k[i, j] * m[i, q]
            for i, j, q, r in permutations(range(7), 4)
        ]
        return float(np.mean(terms))

    own = dependence(one, one) * dependence(other, other)
    assert own > 0
    direct = dependence(one, other) / np.sqrt(own)
    assert debiased_cka(one, other) == pytest.approx(direct, abs=1e-10)
