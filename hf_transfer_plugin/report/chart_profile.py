"""WHAT of a checkpoint: how well each layer reads out the target, and where to cut."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hf_transfer_plugin.layer_profile_record import LayerProfile, LayerScore
from hf_transfer_plugin.report.canvas import (
    INK,
    PALETTE,
    Chart,
    drawable,
    legend,
    new_figure,
    png,
)
from hf_transfer_plugin.report.names import display_name
from hf_transfer_plugin.report.words import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["profile_chart"]

_TITLE = "Profile of layers"
_FROZEN = "#e6e8eb"
_SPECIFIC = "#fbe3d6"
_DASHES = (0, (4, 3))
_MOST_NAMES = 26
_LEVEL_NAMES = 8
_LETTERS = 16


def profile_chart(profile: LayerProfile) -> Chart:
    """Draw the score of every layer with its interval, random weights beside it, and the cut."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    layers = profile.layers
    places = range(len(layers))
    figure, (axes,) = new_figure(3.6)
    learned = [(each.score, each.lower, each.upper) for each in layers]
    chance = [(each.random, each.random_lower, each.random_upper) for each in layers]
    _line(axes, chance, 0.07, PALETTE[1], "s", _DASHES)
    _line(axes, learned, -0.07, PALETTE[0], "o", "solid")
    handles: list[object] = [
        Line2D([], [], color=PALETTE[0], marker="o", markersize=5, label="pretrained"),
        Line2D(
            [], [], color=PALETTE[1], marker="s", markersize=4, linestyle=_DASHES,
            label="same network, random weights",
        ),
    ]  # fmt: skip
    best = next(place for place in places if layers[place].layer == profile.best)
    value = layers[best].score
    axes.plot(best - 0.07, value, "o", markersize=11, markerfacecolor="none", color=INK, zorder=4)
    axes.annotate(
        f"best {number(value)}",
        (best - 0.07, layers[best].upper),
        (0, 8),
        textcoords="offset points",
        ha="left" if best < 0.25 * len(layers) else "right",
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.5},
        fontsize=9.5,
        color=INK,
        zorder=5,
    )
    cut = _cut(profile)
    if cut is not None:
        axes.axvspan(-0.5, cut + 0.5, color=_FROZEN, zorder=0, linewidth=0)
        axes.axvline(cut + 0.5, color=INK, linestyle=_DASHES, linewidth=1.0)
        handles.append(Patch(facecolor=_FROZEN, label="suggested to freeze"))
    if profile.source_specific_from is not None:
        first = next(p for p in places if layers[p].layer == profile.source_specific_from)
        axes.axvspan(first - 0.5, len(layers) - 0.5, color=_SPECIFIC, zorder=0, linewidth=0)
        handles.append(Patch(facecolor=_SPECIFIC, label="source-specific: lower beyond the noise"))
    _name_places(axes, layers)
    name = drawable(display_name(profile.checkpoint), "checkpoint", 40)
    axes.set_title(f"{name}, {profile.examples} training examples", fontsize=10, color=INK)
    # A cut behind the last layer needs room to its right, where the head would be.
    axes.set_xlim(-0.5, len(layers) - (0.0 if cut == len(layers) - 1 else 0.5))
    axes.margins(y=0.14)
    axes.set_ylabel(profile.score.replace("_", " "), fontsize=10, color=INK)
    axes.set_xlabel("layer group, input to head", fontsize=10, color=INK)
    legend(figure, handles, columns=2)
    return Chart(_TITLE, _caption(profile), _alt(profile), png(figure))


def _line(
    axes: Axes,
    values: Sequence[tuple[float, float, float]],
    shift: float,
    color: str,
    marker: str,
    style: object,
) -> None:
    places = [place + shift for place in range(len(values))]
    points = [point for point, _, _ in values]
    axes.plot(places, points, color=color, linestyle=style, linewidth=1.6, zorder=3)
    errors = [
        [point - low for point, low, _ in values],
        [high - point for point, _, high in values],
    ]
    axes.errorbar(
        places,
        points,
        errors,
        fmt=marker,
        color=color,
        markersize=4.5,
        elinewidth=1.0,
        capsize=2.5,
        zorder=3,
    )


def _cut(profile: LayerProfile) -> int | None:
    """Return the last drawn layer that is suggested to freeze."""
    frozen = [place for place, each in enumerate(profile.layers) if each.layer in profile.freeze]
    return max(frozen, default=None)


def _name_places(axes: Axes, layers: Sequence[LayerScore]) -> None:
    step = -(-len(layers) // _MOST_NAMES)
    named = range(0, len(layers), step)
    labels = [drawable(layers[place].layer, f"group {place}", _LETTERS) for place in named]
    level = len(layers) <= _LEVEL_NAMES and max(map(len, labels)) <= 11
    axes.set_xticks(
        list(named),
        labels=labels,
        fontsize=8.5,
        rotation=0 if level else 50,
        ha="center" if level else "right",
        rotation_mode="anchor",
    )
    if level:
        axes.tick_params(axis="x", pad=8)


def _caption(profile: LayerProfile) -> str:
    text = (
        f"{profile.score.replace('_', ' ').capitalize()} of the pooled output of each layer group "
        f"of {display_name(profile.checkpoint)} on {profile.examples} training examples, with "
        f"{profile.confidence:.0%} intervals over half samples, beside the same network with "
        "random weights."
    )
    if profile.freeze:
        return f"{text} Dashed line: suggested cut; what is right of it trains."
    return f"{text} No cut is suggested."


def _alt(profile: LayerProfile) -> str:
    best, last = profile.best_layer, profile.layers[-1]
    sentences = [
        f"Line chart over {len(profile.layers)} layer groups. {best.layer} reads out best: "
        f"{number(best.score)}; with random weights {number(best.random)}."
    ]
    if last is not best:
        sentences.append(f"The last, {last.layer}: {number(last.score)}.")
    if profile.source_specific_from is not None:
        sentences.append(f"Lower by more than the noise from {profile.source_specific_from} on.")
    if profile.freeze:
        sentences.append(f"Suggested to freeze: up to {profile.freeze[-1]}.")
    return " ".join(sentences)
