"""The verdict: outcomes, both intervals, pairing, several controls."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
from scipy import stats

from hf_transfer_plugin.decide.outcomes import outcome_of
from hf_transfer_plugin.decide.power import examples_to_settle, seeds_to_settle
from hf_transfer_plugin.decide.sequential import anytime_interval
from hf_transfer_plugin.decide.verdict import judge
from hf_transfer_plugin.errors import ConfigError
from hf_transfer_plugin.records import Verdict
from tests.decide.results import result

TRANSFER = [0.91, 0.90, 0.935, 0.88, 0.92]
CONTROL = [0.87, 0.885, 0.90, 0.86, 0.91]


def test_plain_scores_agree_with_scipy():
    verdict = judge(TRANSFER, CONTROL, baseline="from-scratch")
    expected = stats.ttest_rel(TRANSFER, CONTROL).confidence_interval(0.95)
    ends = (verdict.lower, verdict.upper)
    assert ends == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert verdict.seed_interval == ends
    assert verdict.item_interval is None
    assert verdict.difference == pytest.approx(np.mean(TRANSFER) - np.mean(CONTROL), abs=1e-12)
    assert (verdict.outcome, verdict.go, verdict.seeds) == ("helped", True, 5)
    assert (verdict.baseline, verdict.margin, verdict.confidence) == ("from-scratch", 0.01, 0.95)
    assert verdict.transfer_mean - verdict.control_mean == pytest.approx(verdict.difference)
    assert Verdict.from_json(verdict.to_json()) == verdict


def test_unpaired_scores_agree_with_scipy_and_may_differ_in_number():
    verdict = judge(np.array(TRANSFER), CONTROL[:3], paired=False, confidence=0.9)
    test = stats.ttest_ind(TRANSFER, CONTROL[:3], equal_var=False)
    expected = test.confidence_interval(0.9)
    ends = (verdict.lower, verdict.upper)
    assert ends == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert verdict.seeds == 3
    assert verdict.baseline == "control"


OUTCOMES = [
    # lower, upper, margin, outcome, go
    (0.001, 0.05, 0.01, "helped", True),
    (0.001, 0.005, 0.01, "helped", True),
    (-0.05, -0.02, 0.01, "harmed", False),
    (-0.005, -0.001, 0.01, "harmed", True),
    (-0.005, 0.005, 0.01, "equivalent", True),
    (0.0, 0.0, 0.01, "equivalent", True),
    (0.0, 0.005, 0.01, "equivalent", True),
    (-0.005, 0.0, 0.01, "equivalent", True),
    (-0.005, 0.05, 0.01, "inconclusive", True),
    (-0.05, 0.005, 0.01, "inconclusive", False),
    (-0.05, 0.05, 0.01, "inconclusive", False),
    (-0.01, 0.005, 0.01, "inconclusive", False),
    (-0.005, 0.01, 0.01, "inconclusive", True),
    (0.0, 0.0, 0.0, "inconclusive", False),
]


def test_every_outcome_has_a_row():
    assert {row[3] for row in OUTCOMES} == {"helped", "harmed", "equivalent", "inconclusive"}
    assert len(OUTCOMES) == 14


@pytest.mark.parametrize(("lower", "upper", "margin", "outcome", "go"), OUTCOMES)
def test_outcome_of(lower, upper, margin, outcome, go):
    assert outcome_of(lower, upper, margin) == outcome


# Ends that only rounding would decide are left to the test above.
APART = [row for row in OUTCOMES if not {row[0], row[1]} & {0.0, -row[2], row[2]}]


def test_every_outcome_is_judged():
    assert {row[3] for row in APART} == {"helped", "harmed", "equivalent", "inconclusive"}
    assert len(APART) == 8


@pytest.mark.parametrize(("lower", "upper", "margin", "outcome", "go"), APART)
def test_the_verdict_follows_from_the_interval(lower, upper, margin, outcome, go):
    # of two differences a and b, half the interval is t * |a - b| / 2
    centre, half = (lower + upper) / 2, (upper - lower) / 2
    apart = half / stats.t.ppf(0.975, 1)
    verdict = judge([centre + apart, centre - apart], [0.0, 0.0], margin=margin)
    assert (verdict.lower, verdict.upper) == pytest.approx((lower, upper), abs=1e-12)
    assert (verdict.outcome, verdict.go) == (outcome, go)


@pytest.mark.parametrize(
    ("shift", "outcome", "go"),
    [(0.0, "equivalent", True), (0.25, "helped", True), (-0.25, "harmed", False)],
)
def test_plain_scores_that_all_differ_alike_have_no_spread(shift, outcome, go):
    verdict = judge([0.5 + shift] * 3, [0.5] * 3)
    assert verdict.lower == verdict.upper == verdict.difference == shift
    assert (verdict.outcome, verdict.go) == (outcome, go)


def test_an_interval_that_reaches_the_margin_is_no_go():
    verdict = judge([0.25, 0.25], [0.5, 0.5], margin=0.25)
    assert (verdict.lower, verdict.go) == (-0.25, False)


def test_the_interval_over_items_carries_the_doubt_when_seeds_do_not_differ():
    transfer, control = result("transfer", [0.82] * 5), result("majority", [0.80] * 5, draw=1)
    verdict = judge(transfer, control)
    assert verdict.seed_interval == pytest.approx((0.02, 0.02))
    assert verdict.item_interval is not None
    assert (verdict.lower, verdict.upper) == verdict.item_interval
    assert verdict.upper - verdict.lower > 0.02
    assert verdict.metric == "accuracy"


def test_results_take_the_hull_of_both_intervals():
    transfer = result("transfer", [0.9, 0.8, 0.95, 0.85])
    control = result("from-scratch", [0.7, 0.75, 0.65, 0.7], draw=1)
    verdict = judge(transfer, control)
    seeds, items = verdict.seed_interval, verdict.item_interval
    assert seeds is not None and items is not None
    assert seeds == pytest.approx(
        tuple(stats.ttest_rel(transfer.scores(), control.scores()).confidence_interval(0.95))
    )
    assert (verdict.lower, verdict.upper) == (min(seeds[0], items[0]), max(seeds[1], items[1]))
    assert items[0] < verdict.difference < items[1]
    assert (verdict.outcome, verdict.baseline, verdict.seeds) == ("helped", "from-scratch", 4)


def test_results_are_paired_by_seed_number_and_odd_ones_left_out_with_a_warning():
    transfer = result("transfer", [0.9, 0.7, 0.8, 0.6], seeds=[3, 1, 2, 9])
    control = result("from-scratch", [0.65, 0.7, 0.9], seeds=[1, 2, 3])
    with pytest.warns(UserWarning, match=r"seeds \[9\] ran on one side only.*3 pairs") as caught:
        verdict = judge(transfer, control)
    assert caught[0].filename == __file__
    expected = stats.ttest_rel([0.7, 0.8, 0.9], [0.65, 0.7, 0.9]).confidence_interval(0.95)
    assert verdict.seed_interval == pytest.approx(tuple(expected), abs=1e-12)
    assert verdict.seeds == 3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert judge(transfer, control, paired=False).transfer_mean == pytest.approx(0.75)


def test_no_interval_over_items_without_predictions_or_for_another_metric():
    bare = {"predictions": ()}
    transfer = result("transfer", [0.9, 0.8], **bare)
    assert judge(transfer, result("c", [0.7, 0.75])).item_interval is None
    assert judge(result("t", [0.9, 0.8]), result("c", [0.7, 0.75])).item_interval is not None
    assert (
        judge(result("t", [0.9, 0.8], labels=()), result("c", [0.7, 0.7], labels=())).item_interval
        is None
    )
    other = {"changes": {"metric": "f1"}, "test": {"f1": 0.5}}
    verdict = judge(result("t", [0.9, 0.8], **other), result("c", [0.7, 0.75], **other))
    assert (verdict.item_interval, verdict.metric, verdict.difference) == (None, "f1", 0.0)


def test_the_first_of_several_controls_decides_unless_another_is_named():
    transfer = result("transfer", [0.9, 0.88, 0.91])
    scratch = result("from-scratch", [0.7, 0.72, 0.69])
    linear = result("tfidf-logistic", [0.95, 0.96, 0.95])
    verdict = judge(transfer, [scratch, linear])
    assert (verdict.baseline, verdict.outcome) == ("from-scratch", "helped")
    assert [(o.baseline, o.outcome) for o in verdict.others] == [("tfidf-logistic", "harmed")]
    assert verdict.others[0] == judge(transfer, linear)
    named = judge(transfer, (scratch, linear), baseline="tfidf-logistic")
    assert (named.baseline, named.others[0].baseline) == ("tfidf-logistic", "from-scratch")
    with pytest.raises(ConfigError, match="did you mean 'from-scratch'"):
        judge(transfer, [scratch, linear], baseline="fromscratch")


def test_an_open_verdict_says_what_would_settle_it():
    seeds = judge([0.87, 0.86, 0.85], [0.85, 0.86, 0.84])
    assert (seeds.outcome, seeds.examples_needed) == ("inconclusive", None)
    assert seeds.seeds_needed == seeds_to_settle([0.02, 0.0, 0.01], 0.01, 0.95)
    # Equal differences: only the test examples leave it open.
    items = judge(result("transfer", [0.82] * 5), result("majority", [0.80] * 5, draw=1))
    assert (items.outcome, items.seeds_needed) == ("inconclusive", None)
    assert items.item_interval is not None
    assert items.examples_needed == examples_to_settle(items.item_interval, 0.02, 0.01, 200)
    assert judge(TRANSFER, CONTROL).seeds_needed is None
    assert judge([0.9, 0.7], [0.8, 0.7], paired=False).seeds_needed is None


def test_a_sequential_verdict_has_the_anytime_interval():
    verdict = judge(TRANSFER, CONTROL, sequential=True)
    differences = [a - b for a, b in zip(TRANSFER, CONTROL, strict=True)]
    assert verdict.seed_interval == pytest.approx(anytime_interval(differences, 0.95))
    assert (verdict.lower, verdict.upper) == verdict.seed_interval
    assert (verdict.sequential, verdict.outcome) == (True, "inconclusive")
    assert verdict.seeds_needed == seeds_to_settle(differences, 0.01, 0.95, anytime=True)
    few = judge(TRANSFER[:2], CONTROL[:2], sequential=True)
    assert (few.outcome, few.go, few.lower) == ("inconclusive", False, -np.inf)
    with pytest.raises(ConfigError, match="sequential=True with paired=False"):
        judge(TRANSFER, CONTROL, sequential=True, paired=False)


def test_a_verdict_of_an_earlier_version_loads():
    held = judge(TRANSFER, CONTROL).to_json()
    for name in ("sequential", "family", "seeds_needed", "examples_needed", "classes", "hidden"):
        del held[name]
    assert Verdict.from_json(held) == judge(TRANSFER, CONTROL)


def test_deciding_loads_neither_torch_nor_transformers():
    code = (
        "import sys\n"
        "from hf_transfer_plugin.decide import controls, pairing, statistics, verdict\n"
        "verdict.judge([0.9, 0.8], [0.7, 0.75])\n"
        "statistics.item_bootstrap_interval([[1, 0]], [[0, 0]], 0.95)\n"
        "print(sorted({'torch', 'transformers', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
