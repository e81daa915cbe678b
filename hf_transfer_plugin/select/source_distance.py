"""How far a source lies from the target, as one checkpoint sees both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hf_transfer_plugin.checkpoints import Checkpoint
from hf_transfer_plugin.data import TargetData, load_data, prepare
from hf_transfer_plugin.errors import DataError
from hf_transfer_plugin.records import DataSpec, Task
from hf_transfer_plugin.select.distances import (
    MeanDiscrepancy,
    TransferBound,
    linear_cka,
    mmd,
    proxy_a_distance,
    transfer_bound,
)
from hf_transfer_plugin.select.features import LayerFeatures, layer_features
from hf_transfer_plugin.select.score_inputs import Floats, centred
from hf_transfer_plugin.select.scores import linear_probe_accuracy
from hf_transfer_plugin.select.source_distance_words import apart, bounded, carried

__all__ = ["LayerDistance", "SourceDistance", "source_distance"]

FEWEST = 20
SHARE = 0.8


@dataclass(frozen=True)
class LayerDistance:
    """How far apart a layer holds source and target, and what of the source carries over.

    The last four are linear CKA of equally many rows, between 0 and 1.

    Attributes:
        name: layer group, as `layer_groups` names it.
        a_distance: proxy A-distance of this layer's features.
        own_source: features of held-out source rows, and the same reduced to the directions that
            hold 80 % of the variance of other source rows: what carrying over within the source
            gives.
        own_target: features of target rows, and the same reduced to these directions of the
            source. Well below `own_source`, what tells target examples apart lies in directions
            that hardly vary in the source.
        last_source: this layer and the last one, on source rows.
        last_target: the same on target rows. Apart from `last_source`, the later layers treat the
            two differently.
    """

    name: str
    a_distance: float
    own_source: float
    own_target: float
    last_source: float
    last_target: float


@dataclass(frozen=True)
class SourceDistance:
    """How far a source lies from the target; see `source_distance`.

    Attributes:
        checkpoint: what computed the features.
        source, target: paths of the data.
        examples: rows of each.
        a_distance: proxy A-distance, from 0 (cannot be told apart) to 2 (always can).
        discrepancy: squared MMD with its p-value.
        layers: input to head.
        source_error: share of held-out source rows that a linear probe gets wrong.
        bound: source error plus half the A-distance; None when the classes differ.
        findings: what this means, in plain words.
    """

    checkpoint: str
    source: str
    target: str
    examples: int
    a_distance: float
    discrepancy: MeanDiscrepancy
    layers: tuple[LayerDistance, ...]
    source_error: float
    bound: TransferBound | None
    findings: tuple[str, ...]


def source_distance(
    checkpoint: str,
    source: DataSpec | str,
    target: DataSpec | str,
    *,
    task: Task,
    examples: int = 500,
    seed: int = 0,
    revision: str | None = None,
    trust_remote_code: bool = False,
) -> SourceDistance:
    """Compare a source with the target on features of one checkpoint; labels of the target unused.

    Equally many rows of both train splits are drawn at random. A-distance, MMD and source error
    read the features that a ranking scores; CKA reads every layer.

    Examples:
        >>> found = source_distance("sample:minilm", "electronics/", "books/",
        ...                         task="text-classification")
        >>> found.a_distance, found.bound.total
        (1.97, 1.17)

    Args:
        checkpoint: Hub name, local folder or `sample:NAME`.
        source: data that a classifier would be learned on first, a `DataSpec` or its path.
        target: data that are to be learned.
        task: of both.
        examples: rows of each at most.
        seed: of the draws, folds and permutations.
        revision: commit, tag or branch of the checkpoint on the Hub.
        trust_remote_code: run code that comes with the checkpoint.

    Raises:
        DataError: for data that cannot be learned from, or with fewer than 20 rows of train.
        CheckpointError: when the checkpoint gives no features of these rows.
    """
    network = Checkpoint(checkpoint, revision=revision, trust_remote_code=trust_remote_code)
    both = [_loaded(each, task) for each in (source, target)]
    rows = min(examples, *(len(data.labels("train")) for data in both))
    if rows < FEWEST:
        raise DataError(
            arrived=f"{rows} rows to compare (examples={examples})",
            expected=f"at least {FEWEST} rows of train in the source and in the target",
            action="name data with more rows, or ask for more examples",
        )
    drawn = [_drawn(data, rows, seed) for data in both]
    found = [
        layer_features(network, data, prepare(network, data, ("train",)), chosen)
        for data, chosen in zip(both, drawn, strict=True)
    ]
    every = both[0].labels("train")
    accuracy = linear_probe_accuracy(found[0].mean, [every[row] for row in drawn[0]], seed=seed)
    distance = proxy_a_distance(found[0].mean, found[1].mean, seed=seed)
    discrepancy = mmd(found[0].mean, found[1].mean, seed=seed)
    layers = _layers(found[0], found[1], seed)
    same = set(both[0].class_names) == set(both[1].class_names)
    bound = transfer_bound(1.0 - accuracy, distance) if same else None
    classes = len(both[0].class_names)
    return SourceDistance(
        checkpoint=checkpoint,
        source=both[0].spec.path,
        target=both[1].spec.path,
        examples=rows,
        a_distance=distance,
        discrepancy=discrepancy,
        layers=layers,
        source_error=1.0 - accuracy,
        bound=bound,
        findings=(
            apart(distance, discrepancy, rows),
            bounded(bound, classes),
            *carried(layers),
        ),
    )


def _loaded(given: DataSpec | str, task: Task) -> TargetData:
    return load_data(given if isinstance(given, DataSpec) else DataSpec(given), task)


def _drawn(data: TargetData, rows: int, seed: int) -> tuple[int, ...]:
    everything = np.random.default_rng(seed).permutation(len(data.labels("train")))
    return tuple(sorted(everything[:rows].tolist()))


def _layers(source: LayerFeatures, target: LayerFeatures, seed: int) -> tuple[LayerDistance, ...]:
    """Compare the layers that both sets of rows have, with equal widths."""
    names = [
        name
        for name, table in source.layers.items()
        if name in target.layers and target.layers[name].shape[1] == table.shape[1]
    ]
    found = []
    for name in names:
        one, other = (np.asarray(each.layers[name], np.float64) for each in (source, target))
        directions = _directions(one[::2])
        found.append(
            LayerDistance(
                name,
                a_distance=proxy_a_distance(one, other, seed=seed),
                own_source=_carry(one[1::2], directions),
                own_target=_carry(other[1::2], directions),
                last_source=linear_cka(one, source.layers[names[-1]]),
                last_target=linear_cka(other, target.layers[names[-1]]),
            )
        )
    return tuple(found)


def _directions(features: Floats) -> Floats:
    """Return the leading principal directions that hold 80 % of the variance: [width, kept]."""
    _, singular, transposed = np.linalg.svd(centred(features), full_matrices=False)
    held = np.cumsum(singular**2)
    kept = int(np.searchsorted(held, SHARE * held[-1])) + 1
    return np.asarray(transposed[:kept].T, dtype=np.float64)


def _carry(features: Floats, directions: Floats) -> float:
    return linear_cka(features, features @ directions)
