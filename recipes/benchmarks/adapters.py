r"""Adapters and schedules against full fine-tuning: accuracy, weights, time, memory and size.

The whole benchmark, some hours on processor cores:
    python recipes/benchmarks/adapters.py --data FOLDER

A first look, some minutes:
    python recipes/benchmarks/adapters.py --data FOLDER --out runs/benchmarks/adapters-look.jsonl \
        --datasets trec6 --ways full lora ia3 --steps trec6=60 --seeds 2
"""

from __future__ import annotations

import argparse

from how_comparison.adapter_tables import tables
from how_comparison.arms import arms_of
from how_comparison.places import TARGETS, Place
from how_comparison.script import add_options, settings_of, train
from how_comparison.settings import Settings
from how_comparison.ways import adapter_ways
from tuning.lines import Lines
from tuning.script import parsed, run, say


def main() -> None:
    """Train what the results file lacks, then show the tables."""
    options = _options()
    ways = adapter_ways()
    steps = dict(options.steps)
    places = [Place(name, options.share, steps[name]) for name in options.datasets]
    arms = arms_of(places, [ways[name] for name in options.ways], by_way=True)

    def measure(options: argparse.Namespace, settings: Settings, lines: Lines) -> None:
        from how_comparison.costs import measure_costs

        if "trainings" in options.only:
            train(options, settings, lines, arms)
        if "costs" in options.only:
            measure_costs(arms, lines, settings, say)

    run(options, settings_of, measure, tables)


_PARTS = ("trainings", "costs")
_STEPS = {"trec6": 450, "tweet_emotion": 300, "banking77": 1100, "oxford_pets37_subset": 250}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Adapters against full fine-tuning")
    add_options(parser, "runs/benchmarks/adapters.jsonl", list(TARGETS))
    ways = list(adapter_ways())
    parser.add_argument("--only", nargs="+", choices=_PARTS, default=list(_PARTS))
    parser.add_argument("--ways", nargs="+", choices=ways, default=ways)
    parser.add_argument("--share", type=int, default=100, help="percent of the training rows")
    parser.add_argument("--steps", nargs="+", type=_steps, default=list(_STEPS.items()))
    return parsed(parser)


def _steps(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    return name, int(number)


if __name__ == "__main__":
    main()
