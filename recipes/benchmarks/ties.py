"""Simulate how often a confidence set holds the best candidate when four are equally good.

All of it, some minutes on one core:
    python recipes/benchmarks/ties.py --out RESULTS.jsonl
    python recipes/benchmarks/ties.py --table --out RESULTS.jsonl

A first look:
    python recipes/benchmarks/ties.py --rankings 10

The features of the four candidates are independent draws of one distribution, so each of them is a
best one, and a 90 % set has to hold each in 90 % of the rankings. The noise of a ranking is taken
in two ways from the same halves of its sample: "fitted anew" computes the score of every half, as
the package does; "of the hits" fits once and counts what was named right in a half.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from measured.kept_lines import Line, add_file_options, measured_lines
from measured.table import Table
from numpy.typing import NDArray

from hf_transfer_plugin.select.candidate_scoring import draws_of, table_scores
from hf_transfer_plugin.select.classifier_scores import neighbour_hits
from hf_transfer_plugin.select.linear_probes import held_out_classes
from hf_transfer_plugin.select.resampling import confidence_set, half_samples

CANDIDATES = 4
CLASSES = 2
CONFIDENCE = 0.9
WAYS = {
    "hits": "halves of the hits hold a best candidate",
    "anew": "halves fitted anew",
}

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]
Hits = NDArray[np.bool_]


def probe_hits(features: Floats, labels: Integers) -> Hits:
    """Tell for each example whether a probe that has not seen it names its class."""
    score = "linear_probe_accuracy"
    hits: Hits = held_out_classes(features, labels, folds=5, seed=0, score=score) == labels
    return hits


@dataclass(frozen=True)
class World:
    """What the four candidates of a ranking are drawn from.

    Attributes:
        name: of the score, for the table.
        score: that orders.
        hits: (features, labels) -> whether one fit of the score names the class of each example.
        dimensions: of the features.
        examples: of the sample, as many of each class.
        distance: of a class mean from 0, root mean square, in units of the noise.
        share: of --rankings that are drawn.
    """

    name: str
    score: str
    hits: Callable[[Floats, Integers], Hits]
    dimensions: int
    examples: int
    distance: float
    share: float


WORLDS = (
    World("kNN", "knn_accuracy", neighbour_hits, 12, 100, 1.0, 1.0),
    World("kNN", "knn_accuracy", neighbour_hits, 150, 100, 2.0, 1.0),
    World("linear probe", "linear_probe_accuracy", probe_hits, 12, 120, 1.0, 0.25),
)


def members(world: World, seed: int) -> tuple[float, dict[str, tuple[int, ...]]]:
    """Draw a ranking of candidates that are equally good.

    Returns:
        Their mean score, and for each of the ways the members of the set.
    """
    rng = np.random.default_rng(seed)
    labels = np.arange(world.examples) % CLASSES
    scale = world.distance / world.dimensions**0.5
    means = rng.normal(scale=scale, size=(CLASSES, world.dimensions))
    tables = means[labels] + rng.normal(size=(CANDIDATES, world.examples, world.dimensions))
    draws, given = draws_of(world.score), labels.tolist()
    anew = [
        table_scores([table], given, [world.score], draws=draws, seed=seed, null=False)
        for table in tables
    ]
    full = [each.scores[world.score] for each in anew]
    hits = np.array([world.hits(table, labels) for table in tables])
    if not np.allclose(hits.mean(axis=1), full, rtol=0.0, atol=1e-12):
        raise RuntimeError(f"the hits are not those of {world.score}")
    halves = half_samples(labels, draws, seed)
    noise = {
        "hits": np.stack([hits[:, half].mean(axis=1) for half in halves], axis=1),
        "anew": np.array([each.draws for each in anew]),
    }
    found = {way: confidence_set(noise[way], full, CONFIDENCE).members for way in WAYS}
    return float(np.mean(full)), found


def measure(world: World, rankings: int) -> Line:
    """Count in how many rankings the set of each way holds each of the candidates."""
    drawn = [members(world, seed) for seed in range(rankings)]
    return {
        "score": world.name,
        "dimensions": world.dimensions,
        "examples": world.examples,
        "rankings": rankings,
        "mean": float(np.mean([mean for mean, _ in drawn])),
        **{
            way: [sum(number in found[way] for _, found in drawn) for number in range(CANDIDATES)]
            for way in WAYS
        },
    }


def row(line: Line) -> tuple[str, ...]:
    """Return a row of the table: the smallest and the largest share over the candidates."""
    name = f"{line['score']}, {line['dimensions']} dimensions"
    ends = [[100 * end(line[way]) / line["rankings"] for end in (min, max)] for way in WAYS]
    shares = (f"{low:.1f} to {high:.1f} %" for low, high in ends)
    return name, str(line["examples"]), f"{line['mean']:.2f}", str(line["rankings"]), *shares


def main() -> None:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(description="Confidence sets of equally good candidates")
    parser.add_argument("--rankings", type=int, default=200, help="fewer of linear probes")
    add_file_options(parser)
    options = parser.parse_args()

    def lines() -> Iterator[Line]:
        for world in WORLDS:
            yield measure(world, max(1, round(options.rankings * world.share)))

    rows = tuple(map(row, measured_lines(options, lines)))
    headers = ("score", "examples", "mean accuracy", "rankings", *WAYS.values())
    print(Table("Four equally good candidates, 90 % sets", headers, rows).markdown())


if __name__ == "__main__":
    main()
