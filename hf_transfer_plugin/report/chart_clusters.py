"""Features in two dimensions: once by class, once by the clusters that were found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from hf_transfer_plugin.report.canvas import (
    GREY,
    INK,
    PALETTE,
    Chart,
    drawable_classes,
    legend,
    new_figure,
    png,
)

__all__ = ["clusters_chart"]

_NAMED = 12
_SHAPES = "os^DvP*X<>hp"


def clusters_chart(
    places: ArrayLike,
    labels: ArrayLike,
    clusters: ArrayLike,
    class_names: Sequence[str],
    projection: str,
) -> Chart:
    """Draw examples as points, in two panels that differ in colours and shapes alone.

    Args:
        places: [examples, 2].
        labels: [examples], class numbers.
        clusters: [examples], each under the number of the class that it matches.
        class_names: in label order; more than twelve are not named.
        projection: how the places came about, "pca" or "tsne".
    """
    points, classes = np.asarray(places), np.asarray(labels)
    figure, axes = new_figure(4.0, columns=2)
    handles: list[object] = []
    sides = (
        (axes[0], classes, "true class"),
        (axes[1], np.asarray(clusters), "cluster, drawn as the class it matches"),
    )
    for one, numbers, title in sides:
        for number in np.unique(numbers):
            inside = numbers == number
            color, shape = PALETTE[number % len(PALETTE)], _SHAPES[number % len(_SHAPES)]
            drawn = one.scatter(
                points[inside, 0],
                points[inside, 1],
                s=9,
                color=color,
                marker=shape,
                linewidths=0,
                alpha=0.75,
            )
            if one is axes[0]:
                handles.append(drawn)
        one.set_title(title, fontsize=10, color=INK, loc="left")
        one.set_xticks([])
        one.set_yticks([])
        one.spines[["left", "bottom"]].set_color(GREY)
    if len(class_names) <= _NAMED:
        names = drawable_classes(class_names, 18)
        for handle, number in zip(handles, np.unique(classes), strict=True):
            handle.set_label(names[number])  # type: ignore[attr-defined]
        legend(figure, handles, columns=4)
    how = "principal components" if projection == "pca" else "t-SNE"
    count = len(np.unique(np.asarray(clusters)))
    caption = f"Two dimensions by {how}; a projection hides distances of the other dimensions."
    alt = (
        f"{len(points)} examples of {len(class_names)} classes in two dimensions, {count} clusters."
    )
    return Chart("Clusters", caption, alt, png(figure))
