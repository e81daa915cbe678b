r"""Hold the order of `rank_checkpoints` against what fine-tuning each candidate reaches.

The whole benchmark, some hours on one core:
    python recipes/benchmarks/ranking.py --data FOLDER --out runs/benchmarks/ranking.jsonl

A first look, some minutes:
    python recipes/benchmarks/ranking.py --data FOLDER --out runs/benchmarks/look.jsonl \
        --candidates minilm minilm-2-layers minilm-random --targets trec6 --rows 100
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from ranking_comparison.plan import CANDIDATES, FEATURE_SCORES, PARTS, TARGETS, tunings_of
from ranking_comparison.settings import Settings
from rich.console import Console
from tuning.lines import Lines
from tuning.source import KINDS

console = Console()


def main() -> None:
    """Measure what the results file lacks, then show the tables."""
    options = _options()
    if options.table:
        from ranking_comparison.tables import tables

        for table in tables(Lines(options.out)):
            print(table.markdown(), end="\n\n")
        return
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    os.environ["HF_TL_CACHE"] = str(options.work / "cache")
    settings = _settings(options)
    _measure(options, settings, Lines(options.out, settings.environment()))


def _measure(options: argparse.Namespace, settings: Settings, lines: Lines) -> None:
    from ranking_comparison import measuring
    from ranking_comparison.tables import tables

    targets = [name for name in options.targets if TARGETS[name].kind in options.kinds]
    planned = tunings_of(targets, options.candidates, options.seeds)
    needed = list(dict.fromkeys(each.candidate for each in planned))
    missing = sum(each.key not in lines for each in planned)
    print(f"{len(needed)} candidates, {len(targets)} targets, {missing} fine-tunings to do")
    if "candidates" in options.only:
        measuring.make_candidates(needed, settings, _say)
    if "tunings" in options.only:
        measuring.tune_all(planned, lines, settings, _say)
    if "scores" in options.only:
        measuring.measure_scores(
            targets, options.candidates, lines, settings, _say, sets=options.sets
        )
    if "others" in options.only:
        measuring.measure_others(targets, options.candidates, lines, settings, _say)
    if "rankings" in options.only:
        measuring.measure_rankings(targets, options.candidates, lines, settings, _say)
    for table in tables(lines):
        console.print(table.rich())


def _say(line: str) -> None:
    print(line, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Rankings against fine-tuned accuracies")
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks/ranking.jsonl"))
    parser.add_argument("--table", action="store_true", help="print --out as Markdown, and end")
    parser.add_argument("--data", type=Path, help="holds a folder of parquet files per data set")
    parser.add_argument("--work", type=Path, help="candidates lie here; default: beside --out")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--sets", nargs="+", choices=FEATURE_SCORES, default=list(FEATURE_SCORES))
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--targets", nargs="+", choices=TARGETS, default=list(TARGETS))
    parser.add_argument("--candidates", nargs="+", choices=CANDIDATES, default=list(CANDIDATES))
    parser.add_argument("--rows", type=int, default=400, help="training rows of a target")
    parser.add_argument("--test-rows", type=int, default=500)
    parser.add_argument("--source-rows", type=int, default=1000, help="that make a candidate")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--text-rate", type=float, default=3e-4, help="peak, for all candidates")
    parser.add_argument("--image-rate", type=float, default=1e-3, help="peak, for all candidates")
    parser.add_argument("--max-length", type=int, default=64)
    parser.add_argument("--image-size", type=int, default=80)
    parser.add_argument("--seeds", type=int, default=1, help="fine-tunings of each pair")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    if options.work is None:
        options.work = options.out.with_name(f"{options.out.stem}-work")
    if not options.table and options.data is None:
        parser.error("--data is needed")
    return options


def _settings(options: argparse.Namespace) -> Settings:
    from hf_transfer_plugin.environment import environment

    return Settings(
        data=options.data,
        work=options.work,
        rows=options.rows,
        test_rows=options.test_rows,
        source_rows=options.source_rows,
        epochs=options.epochs,
        rates={"text": options.text_rate, "images": options.image_rate},
        max_length=options.max_length,
        image_size=options.image_size,
        threads=options.threads,
        accelerator=environment()["accelerator"],
    )


if __name__ == "__main__":
    main()
