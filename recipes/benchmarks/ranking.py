r"""Hold the order of `rank_checkpoints` against what fine-tuning each candidate reaches.

The whole benchmark, some hours on one core:
    python recipes/benchmarks/ranking.py --data FOLDER --out runs/benchmarks/ranking.jsonl

A first look, some minutes:
    python recipes/benchmarks/ranking.py --data FOLDER --out runs/benchmarks/look.jsonl \
        --candidates minilm minilm-2-layers minilm-random --targets trec6 --rows 100
"""

from __future__ import annotations

import argparse

from measured.table import Table
from ranking_comparison.plan import CANDIDATES, FEATURE_SCORES, PARTS, TARGETS, tunings_of
from ranking_comparison.settings import Settings
from tuning.lines import Lines
from tuning.script import add_options, parsed, run, say, shared


def main() -> None:
    """Measure what the results file lacks, then show the tables."""
    run(_options(), _settings, _measure, _tables)


def _tables(lines: Lines) -> list[Table]:
    from ranking_comparison.tables import tables

    return tables(lines)


def _measure(options: argparse.Namespace, settings: Settings, lines: Lines) -> None:
    from ranking_comparison import measuring

    targets = [name for name in options.targets if TARGETS[name].kind in options.kinds]
    planned = tunings_of(targets, options.candidates, options.seeds)
    needed = list(dict.fromkeys(each.candidate for each in planned))
    missing = sum(each.key not in lines for each in planned)
    print(f"{len(needed)} candidates, {len(targets)} targets, {missing} fine-tunings to do")
    if "candidates" in options.only:
        measuring.make_candidates(needed, settings, say)
    if "tunings" in options.only:
        measuring.tune_all(planned, lines, settings, say)
    if "scores" in options.only:
        measuring.measure_scores(
            targets, options.candidates, lines, settings, say, sets=options.sets
        )
    if "others" in options.only:
        measuring.measure_others(targets, options.candidates, lines, settings, say)
    if "rankings" in options.only:
        measuring.measure_rankings(targets, options.candidates, lines, settings, say)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Rankings against fine-tuned accuracies")
    add_options(parser, "runs/benchmarks/ranking.jsonl", PARTS, TARGETS)
    parser.add_argument("--sets", nargs="+", choices=FEATURE_SCORES, default=list(FEATURE_SCORES))
    parser.add_argument("--candidates", nargs="+", choices=CANDIDATES, default=list(CANDIDATES))
    parser.add_argument("--rows", type=int, default=400, help="training rows of a target")
    parser.add_argument("--test-rows", type=int, default=500)
    parser.add_argument("--source-rows", type=int, default=1000, help="that make a candidate")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--text-rate", type=float, default=3e-4, help="peak, for all candidates")
    parser.add_argument("--image-rate", type=float, default=1e-3, help="peak, for all candidates")
    parser.add_argument("--image-size", type=int, default=80)
    parser.add_argument("--seeds", type=int, default=1, help="fine-tunings of each pair")
    return parsed(parser)


def _settings(options: argparse.Namespace) -> Settings:
    return Settings(
        **shared(options),
        rows=options.rows,
        rates={"text": options.text_rate, "images": options.image_rate},
    )


if __name__ == "__main__":
    main()
