"""One scale, and one set of directions, for features of two domains."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hf_transfer_plugin.adapt.instances.weights import Floats

__all__ = ["shared_features"]


def shared_features(
    source: Floats, target: Floats, components: int | None = None
) -> Callable[[Floats], Floats]:
    """Return what brings features of both domains to one scale, each domain counting alike.

    Args:
        source: [rows, features].
        target: [other rows, features].
        components: principal components of both that are kept; None: all features.

    Returns:
        Features [any rows, features] -> [any rows, components].
    """
    from sklearn.decomposition import PCA

    means = [table.mean(axis=0) for table in (source, target)]
    centre = (means[0] + means[1]) / 2
    squares = [np.square(table - centre).mean(axis=0) for table in (source, target)]
    spread = np.sqrt((squares[0] + squares[1]) / 2)
    spread[spread == 0] = 1.0

    def scaled(table: Floats) -> Floats:
        found: Floats = (table - centre) / spread
        return found

    if components is None:
        return scaled
    both = np.vstack([scaled(source), scaled(target)])
    directions = PCA(min(components, *both.shape), random_state=0).fit(both)
    return lambda table: directions.transform(scaled(table))
