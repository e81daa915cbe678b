"""Layers over training, coloured by their learning rate: one drawing for plans and reports."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

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
# Names at an angle that fit on the width of the axes.
_MOST_SLANTED = 22
# Letters of a rate that fit on the width of the axes.
_RATE_LETTERS = 56
_LEGEND_LETTERS = 74
_MOST_WRITTEN_ROWS = 16
# Rows that have a name each.
_MOST_NAMED_ROWS = 60
# Share of the width from which on cells are told apart by a white edge.
_NARROW = 0.012


@dataclass(frozen=True)
class Band:
    """A stretch of training in which nothing changes: a phase, or a part of one.

    Attributes:
        name: of the phase, written above it.
        start, end: where it lies.
        rates: row -> learning rate; rows that are absent are frozen.
        uncertain: rows of which a draw or a measurement decides.
        is_open: start or end are not known in advance.
        goes_on: it belongs to the phase of the band before it.
    """

    name: str
    start: float
    end: float
    rates: Mapping[str, float]
    uncertain: Collection[str] = ()
    is_open: bool = False
    goes_on: bool = False

    def is_hatched(self, row: str) -> bool:
        """Tell whether more than the phase decides about a row that may train."""
        return row in self.rates and (self.is_open or row in self.uncertain)


@dataclass(frozen=True)
class _Cell:
    """What one row does from a start to an end; a rate of 0 means frozen."""

    start: float
    end: float
    rate: float
    is_hatched: bool


def draw_timeline(
    rows: Sequence[tuple[str, str]],
    bands: Sequence[Band],
    *,
    along: str,
    rate: str,
    curve: Sequence[tuple[float, float]] = (),
) -> Figure:
    """Draw rows over training.

    Args:
        rows: (key in `Band.rates`, name to show), first row on top.
        bands: first to last, end to end, none of them empty.
        along: name of the horizontal axis, which counts steps.
        rate: what the colours mean.
        curve: (position, factor on the peak rate), drawn below; none is drawn without it.
    """
    from matplotlib.ticker import MaxNLocator

    many, phases = len(rows) > _MOST_WRITTEN_ROWS, _phases(bands)
    slanted = _is_crowded(phases)
    main = max(0.19 * min(len(rows), _MOST_NAMED_ROWS) if many else 0.36 * len(rows), 0.5)
    height = 1.75 + main + 0.75 * slanted + (0.95 if curve else 0.0)
    ratios = {"height_ratios": [main, 0.6]} if curve else {}
    figure, axes = new_figure(height, 2 if curve else 1, 1, **ratios)
    colors = RateColors(rate for band in bands for rate in band.rates.values())
    _draw_rows(axes[0], {key: list(_cells(key, bands)) for key, _ in rows}, colors)
    names = [drawable(name, f"group {index + 1}", 30) for index, (_, name) in enumerate(rows)]
    label_rows(axes[0], _thinned(names), 7.5 if many else 9.5)
    _name_phases(axes[0], phases, slanted)
    for one in axes:
        one.set_xlim(bands[0].start, bands[-1].end)
        one.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True))
        one.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        for phase in phases[1:]:
            one.axvline(phase.start, color=INK, linestyle=_DASHES, linewidth=0.9)
    if curve:
        axes[0].tick_params(axis="x", labelbottom=False)
        _draw_curve(axes[1], curve)
    axes[-1].set_xlabel(along, fontsize=10, color=INK)
    if len(colors.rates) > 1:
        colors.bar(figure, axes, rate)
    _explain_marks(figure, [key for key, _ in rows], bands, colors, rate)
    return figure


def _phases(bands: Sequence[Band]) -> list[Band]:
    """Return one band for each phase, of which only name, start and end matter."""
    firsts = [index for index, band in enumerate(bands) if not (index and band.goes_on)]
    return [
        Band(bands[first].name, bands[first].start, bands[after - 1].end, {})
        for first, after in pairwise([*firsts, len(bands)])
    ]


def _cells(key: str, bands: Sequence[Band]) -> Iterator[_Cell]:
    """Yield what a row does; nothing is cut where nothing changes within a phase."""
    cell: _Cell | None = None
    for band in bands:
        rate, is_hatched = band.rates.get(key, 0.0), band.is_hatched(key)
        if cell and band.goes_on and (cell.rate, cell.is_hatched) == (rate, is_hatched):
            cell = _Cell(cell.start, band.end, rate, is_hatched)
            continue
        if cell:
            yield cell
        cell = _Cell(band.start, band.end, rate, is_hatched)
    if cell:
        yield cell


def _shares(parts: Sequence[Band] | Sequence[_Cell]) -> list[float]:
    whole = parts[-1].end - parts[0].start
    return [(part.end - part.start) / whole for part in parts]


def _is_crowded(phases: Sequence[Band]) -> bool:
    return any(
        min(len(phase.name), _FEWEST_LETTERS) > _LETTERS * share - 1
        for phase, share in zip(phases, _shares(phases), strict=True)
    )


def _thinned(names: Sequence[str]) -> list[str]:
    """Return the names of rows with as many left out as do not fit; both ends stay."""
    apart, last = math.ceil(len(names) / _MOST_NAMED_ROWS), len(names) - 1
    return [
        name if index == last or (index % apart == 0 and index <= last - apart) else ""
        for index, name in enumerate(names)
    ]


def _draw_rows(axes: Axes, rows: Mapping[str, Sequence[_Cell]], colors: RateColors) -> None:
    by_share = [pair for cells in rows.values() for pair in zip(cells, _shares(cells), strict=True)]
    # Every rate is written, or none.
    is_written = len(rows) <= _MOST_WRITTEN_ROWS and all(
        len(short_rate(cell.rate)) < share * _RATE_LETTERS for cell, share in by_share if cell.rate
    )
    is_narrow = min(share for _, share in by_share) < _NARROW
    for place, cells in enumerate(rows.values()):
        for hatch in ("", _HATCH):
            drawn = [cell for cell in cells if cell.is_hatched is bool(hatch)]
            axes.broken_barh(
                [(cell.start, cell.end - cell.start) for cell in drawn],
                (place - 0.43, 0.86),
                facecolors=[_color(cell, colors) for cell in drawn],
                edgecolor="white",
                linewidth=0.0 if is_narrow else 0.8,
                hatch=hatch or None,
            )
        for cell in cells if is_written else ():
            if cell.rate:
                _write_rate(axes, place, cell, colors)


def _color(cell: _Cell, colors: RateColors) -> str | tuple[float, float, float, float]:
    return colors.color(cell.rate) if cell.rate else _FROZEN


def _write_rate(axes: Axes, place: int, cell: _Cell, colors: RateColors) -> None:
    axes.text(
        (cell.start + cell.end) / 2,
        place,
        short_rate(cell.rate),
        ha="center",
        va="center",
        fontsize=8,
        color=colors.ink(cell.rate),
        bbox={"facecolor": _color(cell, colors), "edgecolor": "none", "pad": 1.2},
    )


def _name_phases(axes: Axes, phases: Sequence[Band], slanted: bool) -> None:
    whole = phases[-1].end - phases[0].start
    free = phases[0].start
    for index, (phase, share) in enumerate(zip(phases, _shares(phases), strict=True)):
        middle = (phase.start + phase.end) / 2
        if slanted and middle < free:
            continue
        free = middle + whole / _MOST_SLANTED
        room = _SLANTED_LETTERS if slanted else int(_LETTERS * share)
        text = axes.text(middle, -0.68, drawable(phase.name, str(index + 1), room), va="bottom")
        text.set(fontsize=9, color=INK, horizontalalignment="left" if slanted else "center")
        if slanted:
            text.set(rotation=35, rotation_mode="anchor")


def _draw_curve(axes: Axes, curve: Sequence[tuple[float, float]]) -> None:
    axes.plot([x for x, _ in curve], [y for _, y in curve], color=INK, linewidth=1.4)
    axes.set_ylim(0, 1.08)
    axes.set_yticks([0, 1], labels=["0", "peak"], fontsize=8.5)
    axes.set_ylabel("rate", fontsize=9, color=INK)


def _explain_marks(
    figure: Figure, keys: Sequence[str], bands: Sequence[Band], colors: RateColors, rate: str
) -> None:
    from matplotlib.patches import Patch

    handles: list[Patch] = []
    if len(colors.rates) == 1:
        (only,) = colors.rates
        handles.append(Patch(facecolor=colors.color(only), label=f"{rate}: {short_rate(only)}"))
    if any(key not in band.rates for band in bands for key in keys):
        handles.append(Patch(facecolor=_FROZEN, edgecolor=GREY, linewidth=0.5, label="frozen"))
    if any(band.is_hatched(key) for band in bands for key in keys):
        mark = "decided while training"
        handles.append(Patch(facecolor="white", edgecolor=GREY, hatch=_HATCH, label=mark))
    if handles:
        letters = sum(len(str(handle.get_label())) + 6 for handle in handles)
        legend(figure, [*handles], len(handles) if letters < _LEGEND_LETTERS else 2)
