"""The errors a user can cause, each saying what arrived, what was expected and what to do next."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

__all__ = [
    "CacheSpaceError",
    "CheckpointError",
    "ConfigError",
    "DataError",
    "HubError",
    "LaunchError",
    "RecordError",
    "ScheduleError",
    "SetupError",
    "TransferError",
    "did_you_mean",
    "require",
]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` for a word close to a known one, else nothing."""
    close = get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


class TransferError(Exception):
    """A mistake of the user or of the surroundings; the command line ends with exit code 2.

    Args:
        arrived: what was found, with the offending value.
        expected: what would have been right.
        action: what to do next.
    """

    def __init__(self, arrived: str, expected: str, action: str) -> None:
        super().__init__(arrived, expected, action)
        self.arrived = arrived
        self.expected = expected
        self.action = action

    def __str__(self) -> str:
        """Return the three parts on three lines."""
        return f"{self.arrived}\n  expected: {self.expected}\n  to do: {self.action}"


class CacheSpaceError(TransferError):
    """The cache of activations has no room: its limit is reached, or the disk is full."""


class CheckpointError(TransferError):
    """A checkpoint that cannot be found, reached or loaded."""


class ConfigError(TransferError):
    """A config file or override that cannot be read or does not fit."""


class DataError(TransferError):
    """Data that cannot be read or cannot be learned from."""


class HubError(TransferError):
    """The Hub refused, or cannot be reached."""


class LaunchError(TransferError):
    """The processes that run are not the ones that were asked for."""


class RecordError(TransferError):
    """A JSON file of a run folder that is missing, damaged or of another version."""


class ScheduleError(TransferError):
    """A freezing schedule that is contradictory or does not fit the model."""


class SetupError(TransferError):
    """Something of the installation or the machine that keeps everything from training."""


def require(fits: bool, key: str, value: Any, expected: str) -> None:
    """Raise a ConfigError for the value of a key unless it fits."""
    if not fits:
        raise ConfigError(f"{key}: {value}", expected, f"correct {key}")
