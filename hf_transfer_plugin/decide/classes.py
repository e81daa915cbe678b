"""Each class on its own: recall of transfer minus that of the control, over all classes at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from hf_transfer_plugin.decide.families import step_down_levels
from hf_transfer_plugin.decide.outcomes import hull, outcome_of
from hf_transfer_plugin.decide.statistics import item_bootstrap_interval
from hf_transfer_plugin.records import ClassVerdict

__all__ = ["class_verdicts"]

Interval = tuple[float, float]
Correct = NDArray[np.bool_]


def class_verdicts(
    transfer: Correct,
    control: Correct,
    labels: Sequence[int],
    class_names: Sequence[str],
    *,
    margin: float,
    confidence: float,
    seed_interval: Callable[[Sequence[float], float], Interval],
) -> tuple[ClassVerdict, ...]:
    """Judge the recall of each class that has test examples.

    As for the mean over all, the interval is the hull of one over seeds and a bootstrap over the
    test examples of the class. Two examples are added to those of each class, one lost and one
    won: a class of which transfer loses both test examples is then uncertain, as it should be.

    Args:
        transfer: [seeds, items], true where the prediction is right.
        control: [seeds, items], the same seeds in the same order.
        labels: [items], true classes.
        class_names: in label order.
        margin: smallest difference that matters.
        confidence: of the family of all classes (see `step_down_levels`).
        seed_interval: (differences, confidence) -> interval over seeds.

    References:
        Agresti and Min, "Simple improved confidence intervals for comparing matched proportions"
        (2005), for the added examples.
        Holm, "A Simple Sequentially Rejective Multiple Test Procedure" (1979).
    """
    truth = np.asarray(labels)
    found = [label for label in range(len(class_names)) if (truth == label).any()]
    parts = [(transfer[:, truth == label], control[:, truth == label]) for label in found]

    def over_seeds(index: int, level: float) -> Interval:
        ours, theirs = parts[index]
        return seed_interval((ours.mean(axis=1) - theirs.mean(axis=1)).tolist(), level)

    def excludes_zero(index: int, level: float) -> bool:
        seeds = over_seeds(index, level)
        # Of the seeds alone when they leave it open: a bootstrap costs a thousand times as much.
        return _apart(seeds) and _apart(hull(seeds, _over_items(*parts[index], level)))

    levels = step_down_levels(excludes_zero, len(found), confidence)
    verdicts = []
    for index, (label, level) in enumerate(zip(found, levels, strict=True)):
        ours, theirs = parts[index]
        lower, upper = hull(over_seeds(index, level), _over_items(ours, theirs, level))
        verdicts.append(
            ClassVerdict(
                name=class_names[label],
                examples=ours.shape[1],
                transfer=float(ours.mean()),
                control=float(theirs.mean()),
                lower=lower,
                upper=upper,
                outcome=outcome_of(lower, upper, margin),
            )
        )
    return tuple(verdicts)


def _over_items(transfer: Correct, control: Correct, level: float) -> Interval:
    lost_and_won = np.array([[False, True]])
    return item_bootstrap_interval(
        np.hstack([transfer, lost_and_won.repeat(len(transfer), axis=0)]),
        np.hstack([control, ~lost_and_won.repeat(len(control), axis=0)]),
        level,
    )


def _apart(interval: Interval) -> bool:
    return interval[0] > 0.0 or interval[1] < 0.0
