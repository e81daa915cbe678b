"""The alarms of the runs of a report, in words."""

from __future__ import annotations

from hf_transfer_plugin.records import Report
from hf_transfer_plugin.report.names import one_line
from hf_transfer_plugin.report.words import counted

__all__ = ["alarm_sentences"]

_SHOWN = 12


def alarm_sentences(report: Report) -> list[str]:
    """Return how many alarms there were, then one sentence for each; nothing without any."""
    every = [
        f"{one_line(result.plan.name)}, seed {seed.seed}, step {alarm.step} "
        f"({alarm.kind.replace('_', ' ')}, {alarm.action}): {one_line(alarm.message)}."
        for result in report.results
        for seed in result.seeds
        for alarm in seed.alarms
    ]
    if not every:
        return []
    more = [f"{len(every) - _SHOWN} more."] if len(every) > _SHOWN else []
    first = f"{counted(len(every), 'alarm')} while training: reasons to look, no test."
    return [first, *every[:_SHOWN], *more]
