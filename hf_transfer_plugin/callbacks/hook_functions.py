"""Methods as hooks that a copy of the model does not copy with all that they belong to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["as_function"]


def as_function(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that calls a bound method; deepcopy takes functions as they are."""
    return lambda *given: method(*given)
