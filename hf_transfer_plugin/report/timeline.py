"""Layers over training, coloured by their learning rate: one drawing for plans and reports."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hf_transfer_plugin.report.canvas import GREY, INK, drawable, label_rows, legend, new_figure
from hf_transfer_plugin.report.rate_colors import RateColors, short_rate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Band", "draw_timeline"]

_FROZEN = "#e6e8eb"
_HATCH = "////"
_DASHES = (0, (4, 3))
# Letters of a name that fit on the width of the axes; of one at an angle; of a name at least.
_LETTERS, _SLANTED_LETTERS, _FEWEST_LETTERS = 62, 18, 12
# Letters of a rate that fit on the width of the axes.
_RATE_LETTERS = 56
_LEGEND_LETTERS = 74
_MOST_WRITTEN_ROWS = 16


@dataclass(frozen=True)
class Band:
    """One phase as it is drawn.

    Attributes:
        name: written above it.
        start, end: where it lies.
        rates: row -> learning rate (or factor on it); rows that are absent are frozen.
        uncertain: rows of which a draw or a measurement decides.
        is_open: start or end are not known in advance.
    """

    name: str
    start: float
    end: float
    rates: Mapping[str, float]
    uncertain: Collection[str] = ()
    is_open: bool = False

    def is_hatched(self, row: str) -> bool:
        """Tell whether more than the phase decides about a row that may train."""
        return row in self.rates and (self.is_open or row in self.uncertain)


def draw_timeline(
    rows: Sequence[tuple[str, str]],
    bands: Sequence[Band],
    *,
    along: str,
    rate: str,
    curve: Sequence[tuple[float, float]] = (),
    along_text: Callable[[float], str] = "{:g}".format,
    rate_text: Callable[[float], str] = short_rate,
    empty: str = "frozen",
) -> Figure:
    """Draw rows over training.

    Args:
        rows: (key in `Band.rates`, name to show), first row on top.
        bands: phases, first to last, end to end.
        along: name of the horizontal axis.
        rate: what the colours mean.
        curve: (position, factor on the peak rate), drawn below; none is drawn without it.
        along_text: text of a position.
        rate_text: text of a rate.
        empty: what a grey row means.
    """
    keys, many = [key for key, _ in rows], len(rows) > _MOST_WRITTEN_ROWS
    slanted = _is_crowded(bands)
    main = max((0.19 if many else 0.36) * len(rows), 0.5)
    height = 1.75 + main + 0.75 * slanted + (0.95 if curve else 0.0)
    ratios = {"height_ratios": [main, 0.6]} if curve else {}
    figure, axes = new_figure(height, 2 if curve else 1, 1, **ratios)
    colors = RateColors(rate for band in bands for rate in band.rates.values())
    _draw_cells(axes[0], keys, bands, colors, rate_text)
    names = [drawable(name, f"group {index + 1}", 30) for index, (_, name) in enumerate(rows)]
    label_rows(axes[0], names, 7.5 if many else 9.5)
    _name_phases(axes[0], bands, slanted)
    for one in axes:
        one.set_xlim(bands[0].start, bands[-1].end)
        one.xaxis.set_major_formatter(lambda value, _: along_text(value))
        for band in bands[1:]:
            one.axvline(band.start, color=INK, linestyle=_DASHES, linewidth=0.9)
    if curve:
        axes[0].tick_params(axis="x", labelbottom=False)
        _draw_curve(axes[1], curve)
    axes[-1].set_xlabel(along, fontsize=10, color=INK)
    if len(colors.rates) > 1:
        colors.bar(figure, axes, rate, rate_text)
    _explain_marks(figure, keys, bands, empty, (colors, f"{rate}: "), rate_text)
    return figure


def _shares(bands: Sequence[Band]) -> list[float]:
    whole = bands[-1].end - bands[0].start
    return [(band.end - band.start) / whole for band in bands]


def _is_crowded(bands: Sequence[Band]) -> bool:
    return any(
        min(len(band.name), _FEWEST_LETTERS) > _LETTERS * share - 1
        for band, share in zip(bands, _shares(bands), strict=True)
    )


def _draw_cells(
    axes: Axes,
    keys: Sequence[str],
    bands: Sequence[Band],
    colors: RateColors,
    rate_text: Callable[[float], str],
) -> None:
    shares = _shares(bands)
    texts = [{k: rate_text(band.rates[k]) for k in keys if k in band.rates} for band in bands]
    # Every rate is written, or none.
    is_written = len(keys) <= _MOST_WRITTEN_ROWS and all(
        max(map(len, those.values()), default=0) < share * _RATE_LETTERS
        for those, share in zip(texts, shares, strict=True)
    )
    for band, share, those in zip(bands, shares, texts, strict=True):
        for place, key in enumerate(keys if share > 0 else ()):
            width, rate = band.end - band.start, band.rates.get(key, 0.0)
            color = colors.color(rate) if rate > 0 else _FROZEN
            hatch = _HATCH if band.is_hatched(key) else None
            look: dict[str, Any] = {"color": color, "edgecolor": "white", "linewidth": 0.8}
            axes.barh(place, width, 0.86, left=band.start, hatch=hatch, **look)
            if rate > 0 and is_written:
                axes.text(
                    band.start + width / 2,
                    place,
                    those[key],
                    ha="center",
                    va="center",
                    fontsize=8,
                    color=colors.ink(rate),
                    bbox={"facecolor": color, "edgecolor": "none", "pad": 1.2},
                )


def _name_phases(axes: Axes, bands: Sequence[Band], slanted: bool) -> None:
    style = {"rotation": 35, "ha": "left", "rotation_mode": "anchor"} if slanted else {}
    for index, (band, share) in enumerate(zip(bands, _shares(bands), strict=True)):
        room = _SLANTED_LETTERS if slanted else int(_LETTERS * share)
        name = drawable(band.name, str(index + 1), room)
        middle = (band.start + band.end) / 2
        look: dict[str, Any] = {
            "ha": "center",
            "va": "bottom",
            "fontsize": 9,
            "color": INK,
            **style,
        }
        axes.text(middle, -0.68, name, **look)


def _draw_curve(axes: Axes, curve: Sequence[tuple[float, float]]) -> None:
    axes.plot([x for x, _ in curve], [y for _, y in curve], color=INK, linewidth=1.4)
    axes.set_ylim(0, 1.08)
    axes.set_yticks([0, 1], labels=["0", "peak"], fontsize=8.5)
    axes.set_ylabel("rate", fontsize=9, color=INK)


def _explain_marks(
    figure: Figure,
    keys: Sequence[str],
    bands: Sequence[Band],
    empty: str,
    single: tuple[RateColors, str],
    rate_text: Callable[[float], str],
) -> None:
    from matplotlib.patches import Patch

    handles: list[Patch] = []
    colors, label = single
    if len(colors.rates) == 1:
        (only,) = colors.rates
        handles.append(Patch(facecolor=colors.color(only), label=label + rate_text(only)))
    if any(key not in band.rates for band in bands for key in keys):
        handles.append(Patch(facecolor=_FROZEN, edgecolor=GREY, linewidth=0.5, label=empty))
    if any(band.is_hatched(key) for band in bands for key in keys):
        mark = "decided while training"
        handles.append(Patch(facecolor="white", edgecolor=GREY, hatch=_HATCH, label=mark))
    if handles:
        letters = sum(len(str(handle.get_label())) + 6 for handle in handles)
        legend(figure, [*handles], len(handles) if letters < _LEGEND_LETTERS else 2)
