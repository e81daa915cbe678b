r"""The planner against recipes picked by hand: points lost, and what the choice took.

The whole benchmark, some hours on processor cores:
    python recipes/benchmarks/planner.py --data FOLDER --batch 16 --max-length 48 --image-size 96

A first look:
    python recipes/benchmarks/planner.py --data FOLDER --out runs/benchmarks/planner-look.jsonl \
        --datasets cats_vs_dogs --seeds 1
"""

from __future__ import annotations

import argparse
import time

from how_comparison.script import add_options, settings_of, train
from how_comparison.settings import Settings
from planner_comparison.places import HELD_OUT, HeldOut, held_out_places
from planner_comparison.tables import tables
from tuning.lines import Lines
from tuning.script import parsed, run

_PARTS = ("by hand", "rules", "pilot")


def main() -> None:
    """Train what the results file lacks, then show the tables."""
    options = _options()
    places = held_out_places(options.datasets)

    def measure(options: argparse.Namespace, settings: Settings, lines: Lines) -> None:
        end = time.monotonic() + 60 * options.minutes
        for place in places:
            left = (end - time.monotonic()) / 60
            if left > 0:
                _measure(
                    place, argparse.Namespace(**vars(options) | {"minutes": left}), settings, lines
                )

    run(options, settings_of, measure, tables)


def _measure(place: HeldOut, options: argparse.Namespace, settings: Settings, lines: Lines) -> None:
    """Train the ways by hand at a place, then let the planner pick, and train its picks."""
    from how_comparison.arms import arms_of
    from planner_comparison.by_hand import ways_by_hand
    from planner_comparison.picks import RULE, WITH_PILOT, key_of, pick, trial_of
    from planner_comparison.training import read
    from planner_comparison.training import train as train_one

    if "by hand" in options.only:
        arms = arms_of([place], list(ways_by_hand().values()))
        train(options, settings, lines, arms, train_one)
    for part, how in (("rules", RULE), ("pilot", WITH_PILOT)):
        if part not in options.only:
            continue
        pick(place, how, settings, read(place, settings)[0], lines, train_one)
        for seed in range(options.seeds):
            trial = trial_of(place, lines[key_of(place, how)], seed)
            if trial.key not in lines:
                lines.add(trial.key, train_one(trial, settings))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The planner against recipes picked by hand")
    add_options(parser, "runs/benchmarks/planner.jsonl", list(HELD_OUT))
    parser.add_argument("--only", nargs="+", choices=_PARTS, default=list(_PARTS))
    return parsed(parser)


if __name__ == "__main__":
    main()
