"""Names of tasks and ways of sampling them, checked before anything is loaded."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hf_transfer_plugin.errors import ConfigError, did_you_mean
from hf_transfer_plugin.multitask_records import SAMPLINGS, Way

__all__ = ["check_names", "check_way"]

# A name is part of metrics (eval_NAME_accuracy), and of folders.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_TAKEN = ("mean",)


def check_names(names: Sequence[str]) -> None:
    """Check the names of tasks.

    Raises:
        ConfigError: for fewer than two, names that repeat, and names that fit no metric or folder.
    """
    if len(names) < 2:
        raise ConfigError(
            arrived=f"one task alone: {names[0]}" if names else "no task",
            expected="two tasks or more, which share a network",
            action="add a task, or train this one alone with hf-tl run",
        )
    for name in names:
        if list(names).count(name) > 1:
            raise ConfigError(
                arrived=f"two tasks of the name {name!r}",
                expected="each name once",
                action="rename one of them",
            )
        if name in _TAKEN or not _NAME.fullmatch(name):
            raise ConfigError(
                arrived=f"a task of the name {name!r}",
                expected="letters, digits, - and _, and not 'mean', which names the mean of all",
                action="rename it",
            )


def check_way(way: Way) -> None:
    """Check how tasks are sampled.

    Raises:
        ConfigError: for a sampling that does not exist, or a temperature below 1.
    """
    if way.sampling not in SAMPLINGS:
        raise ConfigError(
            arrived=f"sampling {way.sampling!r}{did_you_mean(str(way.sampling), SAMPLINGS)}",
            expected="one of " + ", ".join(SAMPLINGS),
            action="correct sampling",
        )
    if not way.temperature >= 1:
        raise ConfigError(
            arrived=f"temperature {way.temperature}",
            expected="1 (as the sizes are) or more (the greater, the more equal)",
            action="correct temperature",
        )
