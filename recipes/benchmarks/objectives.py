r"""Objectives against plain fine-tuning, on 15 to 100 percent of the training rows.

The whole benchmark, some hours on processor cores:
    python recipes/benchmarks/objectives.py --data FOLDER

A first look, some minutes:
    python recipes/benchmarks/objectives.py --data FOLDER --datasets trec6 \
        --out runs/benchmarks/objectives-look.jsonl --shares 15 \
        --objectives l2sp bss --text-steps 60 --seeds 2
"""

from __future__ import annotations

import argparse

from how_comparison.arms import arms_of
from how_comparison.objective_tables import tables
from how_comparison.places import places_of
from how_comparison.script import add_options, settings_of, train
from how_comparison.settings import Settings
from how_comparison.ways import HEAD, OBJECTIVES, PLAIN, objective_ways
from tuning.lines import Lines
from tuning.script import parsed, run

_SHARES = (15, 30, 50, 100)
_DATASETS = ("trec6", "oxford_pets37_subset")


def main() -> None:
    """Train what the results file lacks, then show the tables."""
    options = _options()
    ways = objective_ways()
    steps = {"text": options.text_steps, "images": options.image_steps}
    places = places_of(options.datasets, options.shares, steps)
    arms = arms_of(places, [ways[name] for name in (PLAIN, HEAD, *options.objectives)])

    def measure(options: argparse.Namespace, settings: Settings, lines: Lines) -> None:
        train(options, settings, lines, arms)

    run(options, settings_of, measure, tables)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Objectives against plain fine-tuning")
    add_options(parser, "runs/benchmarks/objectives.jsonl", _DATASETS)
    parser.add_argument("--shares", nargs="+", type=int, default=list(_SHARES), help="percent")
    parser.add_argument("--objectives", nargs="+", choices=OBJECTIVES, default=list(OBJECTIVES))
    parser.add_argument("--text-steps", type=int, default=250)
    parser.add_argument("--image-steps", type=int, default=200)
    return parsed(parser)


if __name__ == "__main__":
    main()
