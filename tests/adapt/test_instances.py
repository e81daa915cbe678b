"""Weights of source rows: what they recover, what they refuse, and what they do in training."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier
from transformers import TrainingArguments

from hf_transfer_plugin import (
    InstanceWeights,
    ReweightedRows,
    TrAdaBoost,
    TransferError,
    density_ratio_weights,
    effective_sample_size,
    kernel_mean_matching_weights,
)
from tests.callbacks.tiny import bert, examples, tensors, trainer

Table = np.ndarray[Any, np.dtype[np.float64]]
# Matching means leaves the weights freer than a density does.
WEIGHERS = ((density_ratio_weights, 0.9), (kernel_mean_matching_weights, 0.65))


def _shifted(width: int = 1, rows: int = 500, by: float = 0.8) -> tuple[Table, Table, Table]:
    """Return a source, a target with another mean, and the true density ratio of the source."""
    draw = np.random.default_rng(0)
    source, target = draw.normal(size=(rows, width)), draw.normal(size=(rows, width))
    target[:, 0] += by
    ratio = np.exp(by * source[:, 0] - by**2 / 2)
    return source, target, ratio / ratio.mean()


@pytest.mark.parametrize("width", [1, 2])
@pytest.mark.parametrize("weigh, alike", WEIGHERS)
def test_weights_recover_a_known_ratio_and_match_the_mean(
    weigh: Callable[..., InstanceWeights], alike: float, width: int
) -> None:
    source, target, ratio = _shifted(width)
    found = weigh(source, target)
    assert found.values.min() >= 0 and found.values.mean() == pytest.approx(1.0)
    assert np.corrcoef(found.values, ratio)[0, 1] > alike
    mean = (found.values[:, None] * source).mean(axis=0)
    apart = (abs(each - target[:, 0].mean()) for each in (mean[0], source[:, 0].mean()))
    assert next(apart) < 0.2 * next(apart)
    assert found.effective_size < 500 and not found.findings
    assert found.most(1) == [int(found.values.argmax())]
    assert found.least(2)[0] == int(found.values.argmin())


def test_equal_domains_get_almost_equal_weights() -> None:
    source, target, _ = _shifted(3, by=0.0)
    assert density_ratio_weights(source, target).effective_size > 480
    assert density_ratio_weights(source, target).details["accuracy"] < 0.6


def test_no_row_is_weighed_by_a_classifier_that_saw_it() -> None:
    # With more directions than rows every classifier knows the rows it saw.
    draw = np.random.default_rng(0)
    source, target = draw.normal(size=(40, 200)), draw.normal(size=(40, 200))
    found = density_ratio_weights(source, target, strengths=(1.0,))
    assert found.details["accuracy"] < 0.75


def test_a_share_of_rows_is_left_in_effect(caplog: pytest.LogCaptureFixture) -> None:
    source, target, _ = _shifted(1, by=4.0)
    with caplog.at_level(logging.WARNING):
        sharp = density_ratio_weights(source, target)
    assert sharp.effective_size < 20 and "count as" in caplog.text
    apart = density_ratio_weights(*_shifted(1, by=8.0)[:2], strengths=(1.0,))
    assert any("told apart" in finding for finding in apart.findings)
    flat = density_ratio_weights(source, target, least_share=0.5)
    assert flat.effective_size == pytest.approx(250, abs=1)
    assert 0 < flat.details["power"] < 1
    assert np.argsort(flat.values).tolist() == np.argsort(sharp.values).tolist()
    assert density_ratio_weights(source, target, flatten=0.0).effective_size == pytest.approx(500)


def test_mean_matching_finds_what_a_general_solver_finds() -> None:
    source, target, _ = _shifted(2, rows=25)
    found = kernel_mean_matching_weights(
        source, target, bound=3.0, epsilon=0.1, width=1.0, tolerance=1e-8
    )
    both = np.vstack([source, target])
    both = (both - both.mean(0)) / both.std(0)
    kernel = np.exp(-np.square(both[:, None] - both).sum(2) / 2)
    pull = 25 * kernel[:25, 25:].mean(axis=1)
    general = minimize(
        lambda b: 0.5 * b @ kernel[:25, :25] @ b - pull @ b,
        np.ones(25),
        jac=lambda b: kernel[:25, :25] @ b - pull,
        bounds=[(0, 3)] * 25,
        constraints=[
            {"type": "ineq", "fun": lambda b: b.sum() - 22.5},
            {"type": "ineq", "fun": lambda b: 27.5 - b.sum()},
        ],
        method="SLSQP",
        options={"ftol": 1e-12, "maxiter": 500},
    )
    constant = kernel[25:, 25:].mean()
    best = 2 * general.fun / 25**2 + constant
    assert found.details["discrepancy"] == pytest.approx(best, abs=1e-6)
    assert found.details["discrepancy"] < found.details["discrepancy_unweighted"] / 3
    assert found.values == pytest.approx(general.x / general.x.mean(), abs=0.05)


def _boundary(table: Table) -> Any:
    return np.digitize(table[:, 0], [-0.5, 0.5])


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("drift", [False, True])
def test_tradaboost_beats_the_target_alone_and_drops_misleading_rows(
    classes: int, drift: bool
) -> None:
    draw = np.random.default_rng(1)
    source, target, asked = (draw.normal(size=(rows, 10)) for rows in (400, 24, 1000))
    labels, few, true = (
        np.minimum(_boundary(each), classes - 1) for each in (source, target, asked)
    )
    labels[:120] = (labels[:120] + 1) % classes
    names = np.array(["no", "perhaps", "yes"])
    model = TrAdaBoost(correct_drift=drift).fit(source, names[labels], target, names[few])
    alone = LogisticRegression().fit(target, names[few])
    reached = (model.predict(asked) == names[true]).mean()
    assert reached > (alone.predict(asked) == names[true]).mean() + 0.03
    weights = model.source_weights_.values
    assert weights[:120].mean() < 0.6 < 1.0 < weights[120:].mean()
    assert model.predict_proba(asked).sum(axis=1) == pytest.approx(1.0)


def test_tradaboost_takes_a_stump() -> None:
    source, target, _ = _shifted(2, rows=60)
    learner = DecisionTreeClassifier(max_depth=1)
    model = TrAdaBoost(4, learner).fit(source, source[:, 0] > 0, target, target[:, 0] > 0)
    assert (model.predict(source) == (source[:, 0] > 0)).mean() > 0.9


def test_rows_come_as_often_as_they_weigh() -> None:
    rows = ReweightedRows("abcd", [0.0, 1.0, 2.0, 5.0], length=80)
    counts = np.bincount(rows.row_numbers, minlength=4).tolist()
    assert counts == [0, 10, 20, 50] and len(rows) == 80
    assert sorted({rows[item] for item in range(80)}) == ["b", "c", "d"]
    again, other = (ReweightedRows("abcd", [0, 1, 2, 5], length=80, seed=s) for s in (0, 1))
    assert again.row_numbers.tolist() == rows.row_numbers.tolist()
    assert other.row_numbers.tolist() != rows.row_numbers.tolist()
    with pytest.raises(IndexError):
        rows[80]


def test_an_unmodified_trainer_resumes_on_reweighted_rows(tmp_path: Path) -> None:
    def made(folder: Path) -> Any:
        run = trainer(bert(), folder, save_strategy="steps", save_steps=5, learning_rate=1e-3)
        seen = examples(run.model)
        run.train_dataset = ReweightedRows(seen, np.arange(16.0), seed=3)
        return run

    whole = made(tmp_path / "whole")
    whole.train()
    resumed = made(tmp_path / "whole")
    resumed.train(resume_from_checkpoint=str(tmp_path / "whole" / "checkpoint-5"))
    one, other = tensors(whole.model), tensors(resumed.model)
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_the_example_of_the_docs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "instances.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    model = bert()
    args = TrainingArguments(str(tmp_path), max_steps=2, use_cpu=True, disable_tqdm=True)
    source, target, _ = _shifted(2, rows=16)
    shown = {"model": model, "args": args, "source_rows": examples(model)}
    exec(code, shown | {"source_features": source, "target_features": target})
    assert "rows in effect, most trusted: [" in capsys.readouterr().out


def test_effective_sample_size() -> None:
    assert effective_sample_size([2.0, 2.0, 2.0]) == pytest.approx(3)
    assert effective_sample_size([0.0, 1e-200, 0.0]) == pytest.approx(1)


ONE = np.zeros((4, 2))
LABELS = np.array([0, 1, 0, 1])
BAD: dict[str, tuple[Callable[[], Any], str]] = {
    "widths": (lambda: density_ratio_weights(ONE, np.zeros((4, 3))), "one width"),
    "a row": (lambda: kernel_mean_matching_weights(ONE[:1], ONE), "two rows or more"),
    "nan": (lambda: density_ratio_weights(ONE, ONE * np.nan), "not finite"),
    "folds": (lambda: density_ratio_weights(ONE, ONE, folds=1), "folds=1"),
    "power": (lambda: density_ratio_weights(ONE, ONE, flatten=2), "flatten=2"),
    "share": (lambda: density_ratio_weights(ONE, ONE, least_share=1), "least_share=1"),
    "strengths": (lambda: density_ratio_weights(ONE, ONE, strengths=()), "strengths"),
    "bound": (lambda: kernel_mean_matching_weights(ONE, ONE, bound=0.5), "bound=0.5"),
    "rounds": (lambda: TrAdaBoost(1).fit(ONE, LABELS, ONE, LABELS), "rounds=1"),
    "labels": (lambda: TrAdaBoost().fit(ONE, LABELS[:3], ONE, LABELS), "for 4 rows"),
    "class": (lambda: TrAdaBoost().fit(ONE, LABELS * 0, ONE, LABELS * 0), "alone"),
    "negative": (lambda: effective_sample_size([1.0, -1.0]), "from -1 to 1"),
    "nothing": (lambda: effective_sample_size([]), "nothing"),
    "rows": (lambda: ReweightedRows("ab", [1.0]), "1 weights for 2 rows"),
    "length": (lambda: ReweightedRows("a", [1.0], length=0), "length=0"),
}


@pytest.mark.parametrize("call, words", BAD.values(), ids=BAD)
def test_what_does_not_fit(call: Callable[[], Any], words: str) -> None:
    with pytest.raises(TransferError) as caught:
        call()
    assert words in str(caught.value)
