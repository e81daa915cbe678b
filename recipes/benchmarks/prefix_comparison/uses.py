"""Where a cache came in."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from hf_transfer_plugin.callbacks.prefix_following import PrefixCache

__all__ = ["skipped"]


def skipped(cache: PrefixCache) -> list[dict[str, Any]]:
    """Return from which steps on which layers were skipped.

    Args:
        cache: what `prefix_cache` returned, after training.

    Raises:
        RuntimeError: when it did not: the time would be that of training without it.
    """
    for use in cache.uses:
        if use.reason:
            raise RuntimeError(f"nothing was skipped from step {use.step} on: {use.reason}")
    if not cache.uses:
        raise RuntimeError("the cache was never used")
    return [asdict(use) for use in cache.uses]
