"""Which rows of a source were trusted most and least: a page, a histogram, a grid of pictures."""

from __future__ import annotations

import html
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from hf_transfer_plugin.report.canvas import (
    GREY,
    INK,
    PALETTE,
    Chart,
    drawable,
    new_figure,
    png,
)
from hf_transfer_plugin.report.names import one_line
from hf_transfer_plugin.report.words import number

__all__ = ["TrustedRow", "Trusting", "picture_grid", "trusted_page", "weights_chart"]

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;"
    "color:#1f2328}table{border-collapse:collapse;width:100%}td,th{text-align:left;"
    "vertical-align:top;padding:.3rem .6rem;border-bottom:1px solid #d0d7de}"
    "td:nth-child(-n+2){text-align:right;font-variant-numeric:tabular-nums}img{max-width:100%}"
)


@dataclass(frozen=True)
class TrustedRow:
    """A row of the source.

    Attributes:
        row: its number in train.
        weight: 1 is the mean.
        label: its class.
        text: an excerpt; empty for a picture.
    """

    row: int
    weight: float
    label: str
    text: str = ""


@dataclass(frozen=True)
class Trusting:
    """The weights of one method.

    Attributes:
        method: its name.
        weights: of all rows.
        effective_size: rows that weigh as much together.
        most, least: the rows with the largest and with the smallest weights.
        details: name -> number.
        findings: in plain words.
    """

    method: str
    weights: tuple[float, ...]
    effective_size: float
    most: tuple[TrustedRow, ...]
    least: tuple[TrustedRow, ...]
    details: Mapping[str, float] = field(default_factory=dict)
    findings: tuple[str, ...] = ()


def trusted_page(title: str, methods: Sequence[Trusting], pictures: Sequence[str] = ()) -> str:
    """Return a page of HTML without scripts; text of the data stays text.

    Args:
        title: heading.
        methods: what is shown.
        pictures: relative paths of grids of pictures, "plots/trusted_METHOD.png".
    """
    parts = [f"<h1>{_text(title)}</h1>", '<img src="plots/weights.png" alt="Weights of rows">']
    for each in methods:
        parts.append(f"<h2>{_text(each.method)}</h2>")
        details = ", ".join(f"{_text(k)} {v:.4g}" for k, v in each.details.items())
        parts.append(
            f"<p>{len(each.weights):,} source rows count as {each.effective_size:,.1f}"
            + (f"; {details}" if details else "")
            + ".</p>"
        )
        parts += [f"<p><strong>{_text(finding)}</strong></p>" for finding in each.findings]
        picture = f"plots/trusted_{each.method}.png"
        if picture in pictures:
            alt = "Pictures trusted most (above) and least (below)"
            parts.append(f'<img src="{_text(picture)}" alt="{alt}">')
        for heading, rows in (("Trusted most", each.most), ("Trusted least", each.least)):
            parts += [f"<h3>{heading}</h3>", _table(rows)]
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{_text(title)}</title>'
        f"<style>{_STYLE}</style>\n<body>\n" + "\n".join(parts) + "\n</body></html>\n"
    )


def _table(rows: Sequence[TrustedRow]) -> str:
    texts = any(row.text for row in rows)
    head = "<tr><th>row<th>weight<th>class" + ("<th>text" if texts else "")
    lines = [
        f"<tr><td>{row.row}<td>{number(row.weight)}<td>{_text(row.label)}"
        + (f"<td>{_text(row.text)}" if texts else "")
        for row in rows
    ]
    return "<table>\n" + "\n".join([head, *lines]) + "\n</table>"


def _text(text: str) -> str:
    return html.escape(one_line(text))


def weights_chart(methods: Sequence[Trusting]) -> Chart:
    """Draw how the weights of each method spread, on a logarithmic axis."""
    figure, axes = new_figure(0.5 + 1.7 * len(methods), rows=len(methods))
    floor = 1e-3
    edges = np.geomspace(floor, max(10.0, *(max(each.weights) for each in methods)), 40)
    for one, each in zip(axes, methods, strict=True):
        values = np.clip(each.weights, floor, None)
        one.hist(values, bins=list(edges), color=PALETTE[0])
        one.axvline(1.0, color=GREY, linewidth=1, linestyle="--")
        one.set_xscale("log")
        ticks = [tick for tick in (1e-3, 1e-2, 0.1, 1, 10, 100, 1000) if tick <= edges[-1]]
        one.set_xticks(ticks, labels=[f"{tick:g}" for tick in ticks])
        words = f"{drawable(each.method, 'method')}: counts as {each.effective_size:,.0f} rows"
        one.set_title(words, fontsize=10, color=INK, loc="left")
        one.set_ylabel("rows", fontsize=9, color=INK)
    axes[-1].set_xlabel(
        f"weight (1 is the mean; {floor:g} and less at the left)", fontsize=10, color=INK
    )
    alt = "Weights of source rows. " + " ".join(
        f"{one_line(each.method)}: {len(each.weights)} rows count as {each.effective_size:.1f}."
        for each in methods
    )
    return Chart("Weights of source rows", "Dashed: a weight of 1.", alt, png(figure))


def picture_grid(most: Sequence[bytes], least: Sequence[bytes]) -> bytes:
    """Draw pictures trusted most above those trusted least, as PNG.

    Args:
        most: pictures as PNG, largest weight first.
        least: the same, smallest weight first.
    """
    from matplotlib.image import imread

    columns = max(len(most), len(least), 1)
    figure, axes = new_figure(0.4 + 2 * 6.0 / columns, rows=2, columns=columns)
    for one in axes:
        one.set_axis_off()
    for start, pictures, title in ((0, most, "trusted most"), (columns, least, "trusted least")):
        for place, picture in enumerate(pictures):
            axes[start + place].imshow(imread(io.BytesIO(picture)))
        axes[start].set_title(title, fontsize=9, color=INK, loc="left")
    return png(figure)
