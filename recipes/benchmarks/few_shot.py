r"""Few labels: class means, a probe and contrastive tuning against SetFit, on the same rows.

    python recipes/benchmarks/few_shot.py --data FOLDER --setfit OTHER-ENVIRONMENT/bin/python

Without --setfit its column stays empty. The same command goes on where an earlier one stopped.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from few_shot_comparison.settings import METHODS, PLACES, ZERO, Settings
from few_shot_comparison.tables import tables
from tuning.lines import Lines
from tuning.script import parsed, run


def main() -> None:
    """Measure what the results file lacks, then show the tables."""
    run(_options(), _settings, _measure, tables)


def _settings(options: argparse.Namespace) -> Settings:
    return Settings(
        data=str(options.data),
        test_rows=options.test_rows,
        max_length=options.max_length,
        image_size=options.image_size,
        iterations=options.iterations,
        threads=options.threads,
    )


def _measure(options: argparse.Namespace, settings: Settings, lines: Lines) -> None:
    import torch
    from few_shot_comparison.measuring import measure
    from few_shot_comparison.zero import measure_zero

    os.environ["HF_HUB_OFFLINE"] = "1"
    torch.set_num_threads(options.threads)
    places = [place for place in PLACES if place.dataset in options.datasets]
    measure(places, options.methods, settings, lines, options.setfit)
    measure_zero(options.zero, settings, lines)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Few labels against SetFit")
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks/few_shot.jsonl"))
    parser.add_argument("--table", action="store_true", help="print --out as Markdown, and end")
    parser.add_argument("--data", type=Path, help="holds a folder of parquet files per data set")
    parser.add_argument("--work", type=Path, help="for caches; default: beside --out")
    parser.add_argument("--setfit", metavar="PYTHON", help="of an environment that has setfit")
    parser.add_argument("--zero", nargs="*", choices=ZERO, default=list(ZERO), help="labels")
    names = list(dict.fromkeys(place.dataset for place in PLACES))
    parser.add_argument("--datasets", nargs="*", choices=names, default=names)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--test-rows", type=int, default=1000, help="at most, of the test split")
    parser.add_argument("--iterations", type=int, default=20, help="of SetFit")
    parser.add_argument("--max-length", type=int, default=64)
    parser.add_argument("--image-size", type=int, default=160)
    parser.add_argument("--threads", type=int, default=1, help="of each process")
    return parsed(parser)


if __name__ == "__main__":
    main()
