"""Colours of learning rates: on a log scale, told apart without colour vision, darker is faster."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from hf_transfer_plugin.report.canvas import INK
from hf_transfer_plugin.report.contrast import readable_ink

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["RateColors", "short_rate"]


def short_rate(rate: float) -> str:
    """Return a rate in few letters.

    Examples:
        >>> short_rate(2e-05), short_rate(0.0071)
        ('2e-5', '0.0071')
    """
    digits, _, power = f"{rate:.2g}".partition("e")
    return f"{digits}e{int(power)}" if power else digits


class RateColors:
    """Gives rates their colours.

    Args:
        rates: all that are drawn.
    """

    def __init__(self, rates: Iterable[float]) -> None:
        from matplotlib import colormaps
        from matplotlib.colors import ListedColormap

        self.rates = sorted({rate for rate in rates if rate > 0})
        low, high = (self.rates[0], self.rates[-1]) if self.rates else (1.0, 1.0)
        # At least a decade, so that rates that hardly differ look alike; one alone in its middle.
        spread = math.sqrt(10) if low == high else 1.0
        self._low, self._high = min(low, high / 10 * spread), high * spread
        # Without the palest end, which can be taken for grey.
        self._shades = ListedColormap(colormaps["viridis_r"](np.linspace(0.06, 1, 256)))

    def _place(self, rate: float) -> float:
        return math.log(rate / self._low) / math.log(self._high / self._low)

    def color(self, rate: float) -> tuple[float, float, float, float]:
        """Return the colour of a rate above 0."""
        red, green, blue, alpha = self._shades(self._place(rate))
        return float(red), float(green), float(blue), float(alpha)

    def ink(self, rate: float) -> str:
        """Return a colour that can be read on it."""
        return readable_ink(self.color(rate))

    def bar(self, figure: Figure, axes: list[Axes], label: str) -> None:
        """Draw the scale below the axes.

        Args:
            figure: the figure of the axes.
            axes: all of them.
            label: what the colours mean.
        """
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import LogNorm
        from matplotlib.ticker import NullLocator

        scale = ScalarMappable(LogNorm(self._low, self._high), self._shades)
        pad = 0.12 / float(figure.get_figheight())
        bar = figure.colorbar(scale, ax=axes, location="bottom", shrink=0.55, aspect=38, pad=pad)
        bar.set_label(label, fontsize=9, color=INK)
        middle = math.sqrt(self._low * self._high)
        ticks = self.rates if len(self.rates) <= 3 else [self._low, middle, self._high]
        width = math.log(self._high / self._low)
        apart: list[float] = []
        for tick in ticks:
            if not apart or math.log(tick / apart[-1]) > 0.15 * width:
                apart.append(tick)
        bar.set_ticks(apart, labels=[short_rate(tick) for tick in apart])
        bar.ax.xaxis.set_minor_locator(NullLocator())
        bar.ax.tick_params(labelsize=9, labelcolor=INK)
