"""Plans that train no network: logistic regression on fixed features, the most frequent class."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from hf_transfer_plugin.data import TargetData
from hf_transfer_plugin.data.plain import plain_features
from hf_transfer_plugin.errors import ConfigError, did_you_mean
from hf_transfer_plugin.metrics import classification_metrics
from hf_transfer_plugin.records import Plan, RunResult, SeedResult, Task
from hf_transfer_plugin.train.standardised_features import STANDARDISED, standardised_features

__all__ = ["BASELINE_PREFIX", "run_baseline"]

BASELINE_PREFIX = "baseline:"
_STRENGTHS = (0.1, 1.0, 10.0, 100.0)
_READS: dict[str, tuple[Task, ...]] = {
    "tfidf-logistic": ("text-classification",),
    "pixels-logistic": ("image-classification",),
    "majority": ("text-classification", "image-classification"),
    STANDARDISED: ("text-classification", "image-classification"),
}


def run_baseline(plan: Plan, data: TargetData, earlier: RunResult | None = None) -> RunResult:
    """Fit the baseline once; every seed has the same result, for no seed enters it.

    Validation chooses the strength of the regularisation.

    Args:
        plan: which baseline.
        data: to fit and test it on.
        earlier: its result with fewer seeds, which says all.

    Raises:
        ConfigError: for an unknown baseline, or one for another task.
    """
    name, _, _ = plan.checkpoint.removeprefix(BASELINE_PREFIX).partition(":")
    if plan.task not in _READS.get(name, ()):
        fitting = [each for each, tasks in _READS.items() if plan.task in tasks]
        raise ConfigError(
            arrived=f"unknown baseline {name!r} for {plan.task}{did_you_mean(name, fitting)}",
            expected="one of " + ", ".join(fitting),
            action="correct the control's checkpoint",
        )
    if earlier is not None:
        once = earlier.seeds[0]
        return replace(earlier, plan=plan, seeds=tuple(replace(once, seed=s) for s in plan.seeds))
    start = time.perf_counter()
    model, features, weights = _fitted(name, plan, data)
    probabilities = model.predict_proba(features["test"])
    predictions = model.classes_[probabilities.argmax(1)]
    once = SeedResult(
        seed=plan.seeds[0],
        learning_rate=0.0,
        steps=0,
        test=classification_metrics(data.labels("test"), predictions),
        validation=_on_validation(model, features, data),
        curve=(),
        predictions=tuple(predictions.tolist()),
        confidences=tuple(probabilities.max(1).tolist()),
        wall_seconds=time.perf_counter() - start,
    )
    return RunResult(
        plan=plan,
        class_names=data.class_names,
        labels=data.labels("test"),
        seeds=tuple(replace(once, seed=seed) for seed in plan.seeds),
        trainable_parameters=weights,
        parameters=weights,
        best_seed=plan.seeds[0],
        data=data.summary.fingerprint,
    )


def _fitted(name: str, plan: Plan, data: TargetData) -> tuple[Any, dict[str, Any], int]:
    """Return a model, role -> what it reads, and the number of its weights."""
    if name == "majority":
        return _majority(data)
    if name == STANDARDISED:
        return _logistic(plan, data, standardised_features(plan, data), centred=False)
    # Centring would fill a sparse table; TF-IDF rows have unit length already.
    features = plain_features(data, ("train", "validation", "test"))
    return _logistic(plan, data, features, centred=data.task == "image-classification")


def _logistic(
    plan: Plan, data: TargetData, features: dict[str, Any], *, centred: bool
) -> tuple[Any, dict[str, Any], int]:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    steps = [StandardScaler()] if centred else []
    best, highest = None, -1.0
    for strength in _STRENGTHS:
        model = make_pipeline(*steps, LogisticRegression(C=strength, max_iter=1000))
        model.fit(features["train"], data.labels("train"))
        reached = _on_validation(model, features, data)[plan.metric]
        if reached > highest:
            best, highest = model, reached
    assert best is not None
    last = best[-1]
    return best, features, last.coef_.size + last.intercept_.size


def _majority(data: TargetData) -> tuple[Any, dict[str, Any], int]:
    import numpy as np
    from sklearn.dummy import DummyClassifier

    features = {role: np.zeros((len(rows), 1)) for role, rows in data.splits.items()}
    model = DummyClassifier(strategy="prior").fit(features["train"], data.labels("train"))
    return model, features, 0


def _on_validation(model: Any, features: dict[str, Any], data: TargetData) -> dict[str, float]:
    predictions = model.predict(features["validation"])
    return classification_metrics(data.labels("validation"), predictions)
