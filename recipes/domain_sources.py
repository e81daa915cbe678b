# /// script
# requires-python = ">=3.11"
# dependencies = ["hf-transfer-plugin[demo]"]
# ///
"""Rank sources for a target by their distance from it, beside what each of them gave.

    python recipes/domain_sources.py --config CONFIG.yaml --sources FOLDER_A FOLDER_B sample:mnist

The config is that of a transfer between two domains; each source takes the place of its
`source_data.path` and has a run folder of its own below `run_folder`. The distance reads no label
of the target; its test labels are read for what each source gave.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from hf_transfer_plugin import Line, RunConfig, Verdict, load_config, session, source_distance


@dataclass(frozen=True)
class Found:
    """A source, how far it is, and what it gave.

    Attributes:
        source: path of its data.
        a_distance: proxy A-distance of its features from those of the target, 0 to 2.
        score: mean of the judged metric on the target's test rows.
        verdict: of the transfer from it.
    """

    source: str
    a_distance: float
    score: float
    verdict: Verdict


def measure(config: RunConfig, source: str, number: int) -> Found:
    """Transfer from one source, and measure its distance."""
    assert config.source_data is not None
    data = replace(config.source_data, path=source)
    folder = Path(config.run_folder) / f"source-{number}"
    line = Line(replace(config, source_data=data, run_folder=str(folder)))
    plan, verdict = line.plan(), line.judge()
    line.report()
    distance = source_distance(
        plan.checkpoint,
        replace(data, image_size=config.data.image_size, max_length=config.data.max_length),
        config.data,
        task=config.task,
        examples=config.rank_examples,
        seed=config.data.seed,
        revision=plan.revision,
        trust_remote_code=plan.trust_remote_code,
    )
    scores = line.run()[0].scores()
    return Found(source, distance.a_distance, sum(scores) / len(scores), verdict)


def table(found: Sequence[Found]) -> Table:
    """Return the sources, the nearest first."""
    first = found[0].verdict
    shown = Table(title="Sources by distance from the target, and what each gave")
    points = f"points against {first.baseline} [interval]"
    for name in ("source", "proxy A-distance", f"test {first.metric}", points, "outcome"):
        shown.add_column(name)
    for each in sorted(found, key=lambda one: one.a_distance):
        v = each.verdict
        shown.add_row(
            Path(each.source).name,
            f"{each.a_distance:.2f}",
            f"{each.score:.3f}",
            f"{100 * v.difference:+.1f} [{100 * v.lower:+.1f}, {100 * v.upper:+.1f}]",
            v.outcome,
        )
    return shown


def main() -> None:
    """Measure each source, then show them side by side."""
    parser = argparse.ArgumentParser(description="Sources by distance and by what they gave")
    parser.add_argument("--config", required=True, help="with source_data, and labels: source")
    parser.add_argument("--sources", nargs="+", required=True, help="paths, as in source_data.path")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="such as seeds=3")
    arguments = parser.parse_args()
    first = f"source_data.path={arguments.sources[0]}"
    config = load_config(arguments.config, [*arguments.overrides, first])
    found = [measure(config, source, n) for n, source in enumerate(arguments.sources)]
    Console().print(table(found))


if __name__ == "__main__":
    with session():
        main()
