"""Recipes as somebody would pick them: a way at a few rates, chosen on validation."""

from __future__ import annotations

from dataclasses import replace

from how_comparison.ways import HEAD, PLAIN, Method, adapter_ways

__all__ = ["BY_HAND", "ways_by_hand"]

#: Way -> kind of data -> peak rates that validation chooses from.
BY_HAND: dict[str, dict[str, tuple[float, ...]]] = {
    PLAIN: {"text": (1e-4, 3e-4), "images": (3e-4, 1e-3)},
    HEAD: {"text": (1e-2, 3e-2), "images": (3e-3, 1e-2)},
    "lp_ft": {"text": (1e-4, 3e-4), "images": (3e-4, 1e-3)},
    "lora, lp_ft": dict.fromkeys(("text", "images"), (1e-3, 3e-3)),
    "ia3": {"text": (1e-2, 3e-2), "images": (3e-3, 1e-2)},
}


def ways_by_hand() -> dict[str, Method]:
    """Return the ways, each with the rates that are tried here."""
    ways = adapter_ways()
    return {name: replace(ways[name], rates=rates) for name, rates in BY_HAND.items()}
