"""Text that can be read on a colour."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.typing import ColorType

__all__ = ["readable_ink"]


def readable_ink(background: ColorType) -> str:
    """Return white or black, whichever has the greater contrast with an opaque colour.

    Contrast is that of WCAG 2: (lighter + .05) / (darker + .05) of the relative luminances. One of
    the two reaches 4.5, what WCAG asks of small text, on every colour.
    """
    from matplotlib.colors import to_rgb

    luminance = _luminance(to_rgb(background))
    # The luminance of white is 1, that of black 0.
    return "white" if 1.05 / (luminance + 0.05) > (luminance + 0.05) / 0.05 else "black"


def _luminance(rgb: tuple[float, float, float]) -> float:
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in rgb
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
