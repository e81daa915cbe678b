"""Small results to judge."""

import numpy as np

from hf_transfer_plugin.records import DataSpec, Plan, RunResult, SeedResult

ITEMS = 200
LABELS = tuple(int(i) % 3 for i in range(ITEMS))


def plan(name="transfer", **changes):
    settings = {
        "name": name,
        "task": "text-classification",
        "checkpoint": "sample:text",
        "data": DataSpec("sample:data"),
    }
    return Plan(**(settings | changes))


def seed_result(seed, accuracy, labels=LABELS, draw=0, test=None, predictions=None):
    """A run with this share of the items right, wrong ones drawn from (draw, seed)."""
    if predictions is None:
        wrong = np.random.default_rng([draw, seed]).permutation(len(labels))
        wrong = set(wrong[: round((1 - accuracy) * len(labels))].tolist())
        predictions = tuple((y + 1) % 3 if i in wrong else y for i, y in enumerate(labels))
    return SeedResult(
        seed=seed,
        learning_rate=5e-5,
        steps=10,
        test={"accuracy": accuracy} if test is None else test,
        validation={"accuracy": accuracy},
        curve=(),
        predictions=tuple(predictions),
        confidences=(1.0,) * len(predictions),
        wall_seconds=1.0,
    )


def result(name, accuracies, *, seeds=None, labels=LABELS, draw=0, changes=None, **parts):
    """A result with one run for each accuracy."""
    numbers = range(len(accuracies)) if seeds is None else seeds
    runs = zip(numbers, accuracies, strict=True)
    return RunResult(
        plan=plan(name, **(changes or {})),
        class_names=("a", "b", "c"),
        labels=labels,
        seeds=tuple(seed_result(s, a, labels or LABELS, draw, **parts) for s, a in runs),
    )
