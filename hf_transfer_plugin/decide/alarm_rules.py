"""When a running training is worth an alarm: pure rules over what was recorded."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

import numpy as np

from hf_transfer_plugin.alarms import AlarmKind
from hf_transfer_plugin.serialization import Record

__all__ = ["Evaluated", "Finding", "Gradients", "Rule", "at_step", "mean_curve", "shares"]

#: Share of the steps up to which a run is given time.
_EARLY = 0.5
#: A loss up to this many times the entropy of the labels is one of a run that has yet to learn.
_UNLEARNED = 1.1
#: A collapse: predictions outside their largest class, against labels outside theirs; and the
#: entropy of the predictions against that of the labels.
_OUTSIDE, _ENTROPY = 0.1, 0.25
_ROUNDING = 1e-9
_EXPLODED, _SEEN, _WINDOW = 100.0, 5, 20
_STILL, _STILL_STEPS, _LEARNED = 1e-8, 10, 1e-2


@dataclass(frozen=True)
class Evaluated(Record):
    """One evaluation.

    Attributes:
        step: optimizer steps before it.
        value: the metric.
        loss: the loss; NaN when it was not measured.
        share, entropy: share of the largest predicted class, and entropy (nats) of the predicted
            classes; NaN when no classes were seen.
        label_share, label_entropy: the same of the labels; NaN when they were not seen.
        largest: the class that was predicted most, -1 when no classes were seen.
        rows: predictions that were seen.
    """

    step: int
    value: float
    loss: float = math.nan
    share: float = math.nan
    entropy: float = math.nan
    label_share: float = math.nan
    label_entropy: float = math.nan
    largest: int = -1
    rows: int = 0

    @property
    def is_narrow(self) -> bool:
        """Tell whether the predictions have fallen together into fewer classes than the labels."""
        if math.isnan(self.label_share):
            return self.share == 1.0
        if self.label_entropy == 0:
            return False
        few = 1 - self.share < _OUTSIDE * (1 - self.label_share)
        return few or self.entropy < _ENTROPY * self.label_entropy


@dataclass(frozen=True)
class Finding:
    """What a rule has found.

    Attributes:
        kind: of the alarm.
        value: what was seen.
        expected: what it was held against.
        since: step of the evaluation (or optimizer step) that began it.
    """

    kind: AlarmKind
    value: float
    expected: float
    since: int


@dataclass(frozen=True)
class Rule:
    """What evaluations are held against.

    Attributes:
        bar: metric of a linear probe on frozen features, or None.
        control: step -> metric of the control; empty without one.
        margin: difference that is worth an alarm, in units of the metric.
        patience: evaluations in a row.
        greater: larger values of the metric are better.
    """

    bar: float | None
    control: Mapping[float, float]
    margin: float
    patience: int
    greater: bool

    def findings(self, history: Sequence[Evaluated], total_steps: int) -> list[Finding]:
        """Return what becomes an alarm at the last of these evaluations.

        Each is found once: when it has lasted for `patience` evaluations. It is found again when
        it has been over in between.

        Args:
            history: all evaluations so far.
            total_steps: optimizer steps of the whole run.
        """
        found: list[Finding] = []
        last = history[-1]
        if self.bar is not None and self._lasts(
            history, lambda part: self._below_bar(part, total_steps)
        ):
            found.append(self._finding("below_bar", history, last.value, self.bar))
        if self._lasts(history, lambda part: self._below_control(part, total_steps)):
            best, expected = self._best_of(history), self._best_control(last.step)
            found.append(self._finding("below_control", history, best, expected))
        if self._lasts(history, lambda part: self.has_collapsed(part, total_steps)):
            found.append(self._finding("collapse", history, last.share, last.label_share))
        return found

    def above_bar(self, each: Evaluated) -> float:
        """Return how much better than the bar an evaluation is; NaN without a bar."""
        return self._above(each.value, math.nan if self.bar is None else self.bar)

    def above_control(self, history: Sequence[Evaluated]) -> float:
        """Return how much better the best so far is than the control's best up to the same step.

        The bests differ less by chance than single evaluations do, which jump while rates are high.

        Returns:
            NaN beyond the ends of the control's curve.
        """
        return self._above(self._best_of(history), self._best_control(history[-1].step))

    def _best_of(self, history: Sequence[Evaluated]) -> float:
        return self._best([each.value for each in history if not math.isnan(each.value)])

    def _best_control(self, step: int) -> float:
        here = at_step(self.control, step)
        if math.isnan(here):
            return here
        return self._best([here, *(v for at, v in self.control.items() if at <= step)])

    def _best(self, values: Sequence[float]) -> float:
        return (max if self.greater else min)(values, default=math.nan)

    def _above(self, value: float, other: float) -> float:
        return value - other if self.greater else other - value

    def is_best(self, history: Sequence[Evaluated]) -> bool:
        """Tell whether the last evaluation is better than all before it."""
        *before, last = history
        known = [each.value for each in before if not math.isnan(each.value)]
        return not math.isnan(last.value) and all(self._above(last.value, v) > 0 for v in known)

    def has_collapsed(self, history: Sequence[Evaluated], total_steps: int) -> bool:
        """Tell whether a run has collapsed; at first it may just have yet to learn."""
        *before, last = history
        learns = last.loss < _UNLEARNED * last.label_entropy
        learns = learns and all(not each.loss <= last.loss for each in before)
        return last.is_narrow and not (learns and last.step < _EARLY * total_steps)

    def _below_bar(self, history: Sequence[Evaluated], total_steps: int) -> bool:
        last = history[-1]
        climbs = last.step < _EARLY * total_steps and self.is_best(history)
        return self._is_below(self.above_bar(last)) and not climbs

    def _below_control(self, history: Sequence[Evaluated], total_steps: int) -> bool:
        # Before half of the run it says next to nothing: a frozen run leads and is overtaken, and
        # at high rates a run that will help is as often behind as one that will harm.
        late = history[-1].step >= _EARLY * total_steps
        return late and self._is_below(self.above_control(history))

    def _is_below(self, gap: float) -> bool:
        return gap < -self.margin - _ROUNDING

    def _lasts(
        self, history: Sequence[Evaluated], flag: Callable[[Sequence[Evaluated]], bool]
    ) -> bool:
        """Tell whether the flag has been up for exactly `patience` evaluations in a row."""
        oldest = max(len(history) - self.patience, 1)
        flags = [flag(history[:end]) for end in range(len(history), oldest - 1, -1)]
        return len(flags) >= self.patience and all(
            up == (place < self.patience) for place, up in enumerate(flags)
        )

    def _finding(
        self, kind: AlarmKind, history: Sequence[Evaluated], value: float, expected: float
    ) -> Finding:
        before = len(history) - self.patience - 1
        return Finding(kind, value, expected, history[before].step if before >= 0 else 0)


@dataclass(frozen=True)
class Gradients(Record):
    """What the gradients of a run have been so far.

    Attributes:
        norms: the last gradient norms that Trainer logged, before clipping.
        broken: steps in a row whose loss or gradient was not finite.
        still: steps in a row that moved nothing although the loss was not small.
        high: logged norms in a row that had exploded.
    """

    norms: tuple[float, ...] = ()
    broken: int = 0
    still: int = 0
    high: int = 0

    def stepped(
        self, step: int, norm: float, loss: float, *, tolerated: int = 0
    ) -> tuple[Gradients, list[Finding]]:
        """Take an optimizer step, just before it is made.

        Args:
            step: its number, from 1.
            norm: of the gradients.
            loss: of the step; NaN in it counts only with `loss` seen, so pass 0 when it is not.
            tolerated: broken steps in a row that are usual: scaled float16 gradients overflow.
        """
        is_broken = not (math.isfinite(norm) and math.isfinite(loss))
        is_still = norm < _STILL and (norm == 0 or abs(loss) > _LEARNED)
        after = replace(
            self,
            broken=self.broken + 1 if is_broken else 0,
            still=self.still + 1 if is_still else 0,
        )
        found: list[Finding] = []
        if after.broken == tolerated + 1:
            value = loss if not math.isfinite(loss) else norm
            found.append(Finding("non_finite", value, math.nan, step - tolerated))
        if after.still == _STILL_STEPS:
            found.append(Finding("vanishing", norm, _STILL, step + 1 - _STILL_STEPS))
        return after, found

    def logged(self, step: int, norm: float, patience: int) -> tuple[Gradients, list[Finding]]:
        """Take a gradient norm that Trainer has logged."""
        if not math.isfinite(norm):
            return self, []  # each step sees that for itself
        usual = median(self.norms) if len(self.norms) >= _SEEN else math.inf
        if norm <= _EXPLODED * usual:
            return replace(self, norms=(*self.norms, norm)[-_WINDOW:], high=0), []
        after = replace(self, high=self.high + 1)
        found = [Finding("exploding", norm, usual, step)] if after.high == patience else []
        return after, found


def shares(counts: Sequence[int]) -> tuple[float, float]:
    """Return the share of the largest class and the entropy in nats; NaN for no rows."""
    total = sum(counts)
    if not total:
        return math.nan, math.nan
    parts = [count / total for count in counts if count]
    return max(parts), -sum(part * math.log(part) for part in parts) + 0.0


def at_step(curve: Mapping[float, float], step: float) -> float:
    """Return a curve between its points, by straight lines; NaN beyond its ends."""
    if not curve:
        return math.nan
    steps = sorted(curve)
    values = [curve[each] for each in steps]
    return float(np.interp(step, steps, values, left=math.nan, right=math.nan))


def mean_curve(curves: Sequence[Mapping[float, float]]) -> dict[float, float]:
    """Return the mean of curves at every step that one of them has and all of them cover."""
    steps = sorted({step for curve in curves for step in curve})
    means = {step: float(np.mean([at_step(curve, step) for curve in curves])) for step in steps}
    return {step: mean for step, mean in means.items() if not math.isnan(mean)}
