"""How well text stands out, after WCAG 2.2 (W3C 2023), success criterion 1.4.3."""

from __future__ import annotations

from typing import Any

from matplotlib.colors import to_rgb

#: What WCAG asks of small text.
ENOUGH = 4.5


def contrast(one: Any, other: Any) -> float:
    """Return the contrast of two opaque colours, 1 to 21."""
    dark, bright = sorted((_luminance(one), _luminance(other)))
    return (bright + 0.05) / (dark + 0.05)


def _luminance(color: Any) -> float:
    parts = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in to_rgb(color)]
    return sum(a * b for a, b in zip((0.2126, 0.7152, 0.0722), parts, strict=True))
