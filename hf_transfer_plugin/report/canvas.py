"""The look that all charts share, and figures to PNG; no pyplot, no global settings."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from hf_transfer_plugin.report.names import one_line, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

__all__ = [
    "GREY",
    "INK",
    "PALETTE",
    "Chart",
    "drawable",
    "drawable_classes",
    "label_rows",
    "legend",
    "new_figure",
    "png",
]

# Okabe and Ito: told apart with every common kind of colour blindness.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
INK = "#1f2328"
GREY = "#6e7781"
_WIDTH_INCHES = 6.0
_DPI = 200
_FONT = "DejaVu Sans"


@dataclass(frozen=True)
class Chart:
    """A drawn chart.

    Attributes:
        title: heading.
        caption: how to read it.
        alt: what it shows, for those who do not see it.
        image: PNG, 1200 pixels wide.
    """

    title: str
    caption: str
    alt: str
    image: bytes


@lru_cache(maxsize=1)
def _glyphs() -> frozenset[int]:
    from matplotlib.font_manager import findfont, get_font

    return frozenset(get_font(findfont(_FONT)).get_charmap())


def drawable(text: str, instead: str, width: int = 26) -> str:
    """Return a name that the chart font can draw: shortened, or `instead` when glyphs lack."""
    text = one_line(text)
    if not text or not all(ord(character) in _glyphs() for character in text):
        text = instead
    return shorten(text, width)


def drawable_classes(names: Sequence[str], width: int) -> list[str]:
    """Return class names for a chart; their numbers tell apart those that shorten to the same."""
    short = [drawable(name, f"class {index}", width) for index, name in enumerate(names)]
    if len(set(short)) == len(short):
        return short
    digits = len(str(len(names))) + 2
    return [
        f"{index}: {drawable(name, 'class', width - digits)}" for index, name in enumerate(names)
    ]


def new_figure(
    height: float, rows: int = 1, columns: int = 1, **grid: object
) -> tuple[Figure, list[Axes]]:
    """Return a white figure 1200 pixels wide, and its axes from top left to bottom right."""
    from matplotlib.figure import Figure

    figure = Figure((_WIDTH_INCHES, height), _DPI, facecolor="white", layout="constrained")
    axes = [
        one
        for row in figure.subplots(rows, columns, squeeze=False, gridspec_kw=grid)
        for one in row
    ]
    for one in axes:
        one.set_facecolor("white")
        one.spines[["top", "right"]].set_visible(False)
        one.spines[["left", "bottom"]].set_color(GREY)
        one.tick_params(labelsize=9.5, labelcolor=INK, color=GREY)
    return figure, axes


def _plain(text: Text) -> None:
    # A name may hold a dollar sign, which would start a formula.
    text.set_parse_math(False)
    text.set_fontfamily(_FONT)


def label_rows(axes: Axes, labels: list[str], size: float = 9.5) -> None:
    """Name the rows 0, 1, ... of a chart, first row on top."""
    axes.set_yticks(range(len(labels)), labels=labels, fontsize=size)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(labels) - 0.4, -0.6)


def legend(figure: Figure, handles: list[object], columns: int) -> None:
    """Put one legend below the axes, where it hides nothing."""
    made = figure.legend(
        handles=handles, loc="outside lower center", ncol=columns, fontsize=9, frameon=False
    )
    for text in made.get_texts():
        text.set_color(INK)


def png(figure: Figure) -> bytes:
    """Return the figure as PNG of 256 colours; the same figure gives the same bytes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Text
    from PIL import Image

    for text in figure.findobj(Text):
        _plain(text)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    size = canvas.get_width_height()
    drawn = Image.frombuffer("RGBA", size, canvas.buffer_rgba()).convert("RGB")
    small = io.BytesIO()
    # Without dithering, which would sow dots into plain areas and cost more than it saves.
    drawn.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(
        small, format="png", optimize=True
    )
    return small.getvalue()
