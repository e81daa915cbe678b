r"""Domain adaptation against its bars: PACS from photos, digits both ways, reviews of products.

The whole benchmark, a day on two processor cores:
    python recipes/benchmarks/domains.py --data FOLDER

A first look, some minutes:
    python recipes/benchmarks/domains.py --data FOLDER --out runs/benchmarks/domains-look.jsonl \
        --groups digits --ways "source only" standardised coral --steps digits=60 --seeds 2
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from domain_comparison.arms import arms_of
from domain_comparison.places import GROUPS, places_of
from domain_comparison.settings import Settings
from domain_comparison.tables import tables
from domain_comparison.ways import ways
from how_comparison.settings import PROCESSOR
from tuning.lines import Lines
from tuning.script import parsed, run, say

from hf_transfer_plugin.domain_kinds import CHOICES, DEFAULT_CHOICE


def main() -> None:
    """Train what the results file lacks, then show the tables."""
    options = _options()
    known = ways()
    asked = [known[name] for name in options.ways]
    places = [
        place
        for place in places_of(options.groups, dict(options.steps))
        if not options.targets or place.target in options.targets
    ]
    arms = arms_of(places, asked, options.choose_by)

    def measure(options: argparse.Namespace, settings: Settings, lines: Lines) -> None:
        from domain_comparison.training import train
        from how_comparison.workers import train_all

        os.environ["HF_HUB_OFFLINE"] = "1"
        print(f"{len(arms)} ways at pairs of domains, {options.seeds} seeds")
        workers, minutes = options.workers, options.minutes
        train_all(
            arms, options.seeds, lines, settings, say, train, workers=workers, minutes=minutes
        )

    run(options, _settings_of, measure, tables)


def _settings_of(options: argparse.Namespace) -> Settings:
    from hf_transfer_plugin.environment import environment

    accelerator = environment()["accelerator"]
    return Settings(
        data=str(options.data),
        work=str(options.work),
        threads=options.threads,
        device=PROCESSOR if accelerator == "none" else accelerator,
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Domain adaptation against its bars")
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks/domains.jsonl"))
    parser.add_argument("--table", action="store_true", help="print --out as Markdown, and end")
    parser.add_argument("--data", type=Path, help="holds pacs, digits and blitzer_amazon")
    parser.add_argument("--work", type=Path, help="caches, checkpoints; default: beside --out")
    parser.add_argument("--groups", nargs="+", choices=GROUPS, default=list(GROUPS))
    parser.add_argument("--targets", nargs="+", help="domains; default: all")
    parser.add_argument("--ways", nargs="+", choices=ways(), default=list(ways()))
    parser.add_argument("--choose-by", choices=CHOICES, default=DEFAULT_CHOICE)
    parser.add_argument("--steps", nargs="+", type=_steps, default=[], help="GROUP=STEPS")
    parser.add_argument("--seeds", type=int, default=5, help="of each way at each pair")
    parser.add_argument("--threads", type=int, default=1, help="of each process")
    parser.add_argument("--workers", type=int, default=1, help="processes that train at once")
    parser.add_argument("--minutes", type=float, default=1e6, help="then no training is begun")
    return parsed(parser)


def _steps(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    return name, int(number)


if __name__ == "__main__":
    main()
