"""Several transfers against one control, with one chance of error for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hf_transfer_plugin.decide.checks import check_level
from hf_transfer_plugin.decide.families import step_down_levels
from hf_transfer_plugin.decide.verdict import judge
from hf_transfer_plugin.errors import DataError
from hf_transfer_plugin.records import RunResult, Verdict

__all__ = ["judge_all"]


def judge_all(
    transfers: Sequence[RunResult] | Sequence[Sequence[float]],
    control: RunResult | Sequence[RunResult] | Sequence[float],
    *,
    margin: float = 0.01,
    confidence: float = 0.95,
    paired: bool = True,
    baseline: str | None = None,
    sequential: bool = False,
) -> tuple[Verdict, ...]:
    """Judge several candidates against the same control.

    Among many candidates that change nothing one will look helpful by chance. Here the chance
    that any of them is called helped or harmed while nothing differs is 1 - confidence at most,
    by Holm's steps. "equivalent" is read from the interval of the candidate's own step.

    Examples:
        >>> good, same = [0.91, 0.92, 0.90], [0.85, 0.84, 0.85]
        >>> [each.outcome for each in judge_all([good, same], [0.85, 0.85, 0.84])]
        ['helped', 'inconclusive']

    Args:
        transfers: one result, or scores [seeds], for each candidate.
        control: as for `judge`; only the control that decides is corrected for, `others` are as
            without other candidates.
        margin: as for `judge`.
        confidence: of all verdicts together.
        paired: as for `judge`.
        baseline: as for `judge`.
        sequential: as for `judge`.

    Returns:
        One verdict for each candidate, in their order; `family` is their number, and `confidence`
        that of the candidate's own interval.

    Raises:
        DataError: for no candidate, and as `judge`.
        ConfigError: as `judge`.

    References:
        Holm, "A Simple Sequentially Rejective Multiple Test Procedure" (1979).
    """
    check_level(confidence)
    if not len(transfers):
        raise DataError(
            arrived="no candidate to judge",
            expected="at least one result, or list of scores",
            action="pass the results of `run`, one for each candidate",
        )

    def verdict(index: int, level: float) -> Verdict:
        return judge(
            transfers[index],
            control,
            margin=margin,
            confidence=level,
            paired=paired,
            baseline=baseline,
            sequential=sequential,
        )

    def decided(index: int, level: float) -> bool:
        return verdict(index, level).outcome in ("helped", "harmed")

    levels = step_down_levels(decided, len(transfers), confidence)
    return tuple(
        replace(
            verdict(index, level),
            family=len(transfers),
            others=verdict(index, confidence).others,
        )
        for index, level in enumerate(levels)
    )
