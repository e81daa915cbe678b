from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from hf_transfer_plugin.decide.verdict import judge
from hf_transfer_plugin.errors import RecordError
from hf_transfer_plugin.records import Report, RunResult
from hf_transfer_plugin.report.evidence import (
    HiddenExample,
    class_rows,
    confusion,
    hidden_examples,
    kept_seed,
    primary_control,
    recalls,
    spread,
)


def with_predictions(
    result: RunResult, labels: tuple[int, ...], predictions: list[tuple[int, ...]]
) -> RunResult:
    seeds = tuple(
        replace(seed, predictions=row, confidences=(0.5,) * len(row))
        for seed, row in zip(result.seeds, predictions, strict=False)
    )
    return replace(result, labels=labels, seeds=seeds, class_names=("a", "b", "c"), best_seed=0)


def small(report: Report) -> Report:
    labels = (0, 0, 1, 1)
    transfer = with_predictions(
        report.results[0], labels, [(0, 1, 1, 0), (0, 1, 1, 1), (1, 1, 1, 1)]
    )
    control = with_predictions(
        report.results[1], labels, [(0, 0, 1, 1), (0, 0, 0, 1), (0, 1, 0, 1)]
    )
    return replace(report, results=(transfer, control))


def test_spread_is_a_t_interval() -> None:
    over = spread([0.1, 0.2, 0.3], 0.95)
    assert (over.mean, over.count) == (pytest.approx(0.2), 3)
    assert over.sd == pytest.approx(0.1)
    # 4.302653 is the 97.5 % quantile of t with two degrees of freedom.
    assert over.upper - over.mean == pytest.approx(4.302653 * 0.1 / math.sqrt(3), rel=1e-6)
    assert math.isnan(spread([0.5]).lower) and math.isnan(spread([]).mean)


def test_hidden_examples_say_what_most_seeds_answer(report: Report) -> None:
    made = small(report)
    verdict = judge(made.results[0], made.results[1])
    made = replace(made, verdict=verdict)
    # Item 1 is lost in two of three seeds; items 0 and 3 differ only once.
    assert hidden_examples(made, 10) == [HiddenExample(1, "a", "b", "a")]
    assert hidden_examples(made, 0) == []
    assert hidden_examples(replace(made, results=made.results[:1]), 10) == []
    assert hidden_examples(replace(made, verdict=replace(verdict, hidden=None)), 10) == []


def test_class_rows_that_are_not_judged_mark_harm_beyond_the_margin(report: Report) -> None:
    made = small(report)
    rows = class_rows(replace(made, verdict=replace(made.verdict, classes=())))
    assert {row.judged for row in rows} == {None}
    assert [row.support for row in rows] == [2, 2, 0]
    assert rows[0].transfer == pytest.approx(2 / 6) and rows[0].control == pytest.approx(5 / 6)
    assert rows[0].harmed and not rows[1].harmed
    assert math.isnan(rows[2].transfer) and not rows[2].harmed


def test_class_rows_that_are_judged_mark_what_the_verdict_calls_harmed(report: Report) -> None:
    made = small(report)
    verdict = judge(made.results[0], made.results[1])
    rows = class_rows(replace(made, verdict=verdict))
    assert [row.judged for row in rows] == [*verdict.classes, None]
    # Two test examples a class are too few, whatever the difference.
    assert not any(row.harmed for row in rows)


def test_confusion_is_that_of_the_kept_seed(report: Report) -> None:
    counts = confusion(small(report).transfer)
    assert counts is not None
    assert counts.tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 0]]
    full = confusion(report.transfer)
    assert full is not None
    kept = kept_seed(report.transfer)
    assert kept.seed == 3
    assert np.trace(full) / full.sum() == pytest.approx(kept.test["accuracy"])
    assert recalls(report.transfer).shape == (6,)


def test_kept_seed_must_have_run(report: Report) -> None:
    with pytest.raises(RecordError, match=r"best_seed=9(.|\n)*\[0, 1, 2, 3, 4\]"):
        kept_seed(replace(report.transfer, best_seed=9))


def test_primary_control_is_the_one_the_verdict_names(report: Report) -> None:
    control = primary_control(report)
    assert control is not None and control.plan.name == "from-scratch"
    assert primary_control(replace(report, results=report.results[:1])) is None
