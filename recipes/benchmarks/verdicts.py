"""Simulate how often the verdict is wrong when nothing differs, and how soon it finds a difference.

All of it, half a minute:
    python recipes/benchmarks/verdicts.py --out RESULTS.jsonl
    python recipes/benchmarks/verdicts.py --table --out RESULTS.jsonl

Differences of paired seeds are drawn; nothing trains. A run counts as decided when its 95 %
interval excludes zero (a margin of 0), and stays decided.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict

import numpy as np
from measured.kept_lines import Line, add_file_options, measured_lines
from measured.table import Table
from numpy.typing import NDArray

from hf_transfer_plugin import judge, planned_look
from hf_transfer_plugin.decide.outcomes import outcome_of
from hf_transfer_plugin.decide.sequential import anytime_half_width
from hf_transfer_plugin.decide.statistics import student_half_width

CONFIDENCE = 0.95
FIRST_LOOK = 2
LOOKS = (5, 10, 20, 40)
EFFECTS = (0.5, 1.0, 2.0)
PLANNED = (3, 5, 10)
PLANNED_EFFECTS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
PLANNED_MARGINS = (0.0, 1.0)

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, int]], Floats]
HalfWidth = Callable[[int], float]


def _normal(rng: np.random.Generator, size: tuple[int, int]) -> Floats:
    return rng.normal(size=size)


def _accuracies(rng: np.random.Generator, size: tuple[int, int]) -> Floats:
    """Differences of two accuracies of 0.85 on 200 test examples: multiples of half a point."""
    return (rng.binomial(200, 0.85, size) - rng.binomial(200, 0.85, size)) / 200


def _skewed(rng: np.random.Generator, size: tuple[int, int]) -> Floats:
    return rng.exponential(size=size) - 1.0


def _heavy(rng: np.random.Generator, size: tuple[int, int]) -> Floats:
    return rng.standard_t(3, size)


NULLS: dict[str, Draw] = {
    "normal": _normal,
    "accuracies on 200 examples": _accuracies,
    "skewed (exponential)": _skewed,
    "heavy tails (t, 3 degrees)": _heavy,
}


def student(seeds: int) -> float:
    """Return half the width of Student's interval, in standard deviations."""
    return student_half_width(seeds**-0.5, seeds - 1.0, CONFIDENCE)


def anytime(seeds: int) -> float:
    """Return half the width of the anytime-valid interval, in standard deviations."""
    return anytime_half_width(seeds, 1.0, CONFIDENCE)


def signs(differences: Floats, looks: Sequence[int], half_width: HalfWidth) -> NDArray[np.int64]:
    """Return the first decision of each run: +1 helped, -1 harmed, 0 none at any look.

    Args:
        differences: [runs, seeds].
        looks: numbers of seeds at which the interval is looked at.
        half_width: number of seeds -> half the interval's width, in standard deviations.
    """
    decided = np.zeros(len(differences), dtype=np.int64)
    for seeds in (each for each in looks if np.isfinite(half_width(each))):
        part = differences[:, :seeds]
        mean, half = part.mean(axis=1), part.std(axis=1, ddof=1) * half_width(seeds)
        now = (mean > half).astype(np.int64) - (mean < -half)
        decided = np.where(decided == 0, now, decided)
    return decided


def false_alarms(runs: int, seed: int) -> Table:
    """Return how often a run without any difference is called harmed, and helped."""
    most = LOOKS[-1]
    arms: list[tuple[str, HalfWidth, Sequence[int]]] = [
        ("Student, one look at 5", student, (5,)),
        *((f"Student, looks at 2 to {last}", student, _every(last)) for last in LOOKS[1:]),
        *((f"anytime-valid, looks at 2 to {last}", anytime, _every(last)) for last in LOOKS[2:]),
    ]
    rows = []
    for name, draw in NULLS.items():
        drawn = draw(np.random.default_rng(seed), (runs, most))
        judged = [judge(row[:5].tolist(), [0.0] * 5, margin=0.0).outcome for row in drawn]
        shares = [judged.count("harmed") / runs, judged.count("helped") / runs]
        rows.append((name, "`judge`, 5 seeds", *map(_percent, (*shares, sum(shares)))))
        for arm, half_width, looks in arms:
            found = signs(drawn, looks, half_width)
            shares = [float((found == sign).mean()) for sign in (-1, 1)]
            rows.append((name, arm, *map(_percent, (*shares, sum(shares)))))
        planned, _ = at_planned_looks(drawn, 0.0)
        shares = [planned.count("harmed") / runs, planned.count("helped") / runs]
        arm = f"planned looks at {', '.join(map(str, PLANNED))}"
        rows.append((name, arm, *map(_percent, (*shares, sum(shares)))))
    heads = ("differences", "interval", "false harm", "false help", "either")
    return Table(f"Nothing differs, {runs:,} runs, 95 % intervals", heads, tuple(rows))


def power(runs: int, seed: int) -> Table:
    """Return the share of runs that are decided, and rightly, by a number of seeds."""
    rows = []
    for effect in EFFECTS:
        drawn = effect + _normal(np.random.default_rng(seed), (runs, LOOKS[-1]))
        fixed = [signs(drawn, (last,), student) for last in LOOKS]
        looked = [signs(drawn, _every(last), anytime) for last in LOOKS]
        for name, found in (("Student, one look", fixed), ("anytime-valid, every look", looked)):
            shares = (_percent(float((each == 1).mean())) for each in found)
            rows.append((f"{effect:g} sd", name, *shares))
    heads = ("effect", "interval", *(f"{last} seeds" for last in LOOKS))
    return Table(f"A true difference, share found, {runs:,} runs", heads, tuple(rows))


def seeds_used(runs: int, seed: int, most: int = 20) -> Table:
    """Return how many seeds --until-settled trains, from 5 to at most 20."""
    rows = []
    for effect in (0.0, *EFFECTS):
        drawn = effect + _normal(np.random.default_rng(seed), (runs, most))
        used = np.full(runs, most)
        for last in range(most - 1, 4, -1):
            used[signs(drawn, range(5, last + 1), anytime) != 0] = last
        numbers = (f"{used.mean():.1f}", f"{np.median(used):g}", f"{np.quantile(used, 0.9):g}")
        rows.append((f"{effect:g} sd", *numbers))
    heads = ("effect", "mean", "median", "90 % quantile")
    return Table(f"Seeds until decided, 5 to {most}, margin 0", heads, tuple(rows))


def at_planned_looks(differences: Floats, margin: float) -> tuple[list[str], NDArray[np.int64]]:
    """Return outcome and seeds of each run that stops where `planned_look` says so.

    Args:
        differences: [runs, seeds], no fewer seeds than the last look.
        margin: in units of the differences.
    """
    outcomes: list[str] = []
    used: list[int] = []
    for row in differences:
        for seeds in PLANNED:
            found = planned_look(row[:seeds].tolist(), PLANNED, margin=margin)
            if found.stop:
                break
        outcomes.append(found.outcome)
        used.append(seeds)
    return outcomes, np.asarray(used)


def planned_looks(runs: int, seed: int) -> Table:
    """Return what planned looks decide and cost beside one look at the last number of seeds."""
    last, rows = PLANNED[-1], []
    for margin in PLANNED_MARGINS:
        for effect in PLANNED_EFFECTS:
            drawn = effect + _normal(np.random.default_rng(seed), (runs, last))
            mean, half = drawn.mean(axis=1), drawn.std(axis=1, ddof=1) * student(last)
            ends = zip((mean - half).tolist(), (mean + half).tolist(), strict=True)
            whole = [outcome_of(lower, upper, margin) for lower, upper in ends]
            outcomes, used = at_planned_looks(drawn, margin)
            same = [ours == theirs for ours, theirs in zip(outcomes, whole, strict=True)]
            shares = [
                _percent(found.count(outcome) / runs)
                for outcome in ("helped", "equivalent", "harmed")
                for found in (whole, outcomes)
            ]
            stops = " / ".join(f"{100 * (used == seeds).mean():.0f}" for seeds in PLANNED)
            means = (_percent(float(np.mean(same))), _percent(float(used.mean()) / last))
            rows.append((f"{margin:g} sd", f"{effect:g} sd", *shares, stops, *means))
    once, looks = f"{last} seeds", "looks"
    kinds = [
        f"{kind}, {arm}" for kind in ("helped", "equivalent", "harmed") for arm in (once, looks)
    ]
    stopped = f"% stopped at {' / '.join(map(str, PLANNED))}"
    heads = ("margin", "effect", *kinds, stopped, "same outcome", "share of the seeds")
    names = ", ".join(map(str, PLANNED))
    return Table(f"Planned looks at {names}, {runs:,} runs", heads, tuple(rows))


def _every(last: int) -> range:
    return range(FIRST_LOOK, last + 1)


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def main() -> None:
    """Print the tables as Markdown."""
    parser = argparse.ArgumentParser(description="False alarms and power of the verdict")
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    add_file_options(parser)
    options = parser.parse_args()
    tables = (false_alarms, power, seeds_used, planned_looks)

    def measure() -> Iterator[Line]:
        return (asdict(table(options.runs, options.seed)) for table in tables)

    for line in measured_lines(options, measure):
        print(Table(line["title"], line["headers"], line["rows"]).markdown(), end="\n\n")


if __name__ == "__main__":
    main()
