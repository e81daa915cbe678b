"""`hf-tl few-shot`: learning curves over a few labelled examples of each class."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hf_transfer_plugin.cli.opening import Overrides

if TYPE_CHECKING:
    from rich.table import Table

    from hf_transfer_plugin.few_shot_records import FewShotMethod, FewShotResult

__all__ = ["command"]

Config = Annotated[Path, typer.Argument(metavar="CONFIG", help="A YAML config for few labels.")]


def command(config: Config, overrides: Overrides = None) -> None:
    """Learn from 1 to 16 labels a class: few_shot.json, few_shot.png, model/. Goes on if stopped.

    Class means, a logistic regression and contrastive tuning, on the same drawn rows.
    """
    from rich.console import Console

    from hf_transfer_plugin.cli.showing import say
    from hf_transfer_plugin.few_labels.configs import load_few_shot
    from hf_transfer_plugin.few_labels.few_shot import few_shot

    changes = overrides or []
    read = load_few_shot(config, changes)
    words = ["hf-tl", "few-shot", str(config), *changes]
    result = few_shot(read, command=shlex.join(words))
    Console(highlight=False).print(_table(result))
    say(_kept(result))
    folder = Path(read.run_folder)
    say(f"\nwritten: {folder / result.file_name}, {folder / 'few_shot.png'}")
    say(f"model   {folder / 'model'}")


def _table(result: FewShotResult) -> Table:
    from rich.table import Table
    from rich.text import Text

    from hf_transfer_plugin.report.names import display_name

    baseline = result.verdicts[0].verdict.baseline if result.verdicts else ""
    table = Table(
        title=Text(f"Few labels: {display_name(result.checkpoint)}"),
        caption=f"test {result.metric} on {len(result.labels):,} examples; "
        f"± standard deviation over {result.draws} draws; median seconds to fit",
    )
    table.add_column("labels a class", justify="right")
    table.add_column("method")
    for heading in ("mean", "seconds", f"against {baseline}" if baseline else ""):
        table.add_column(heading, justify="right")
    table.add_column("")
    for shots in result.shots:
        for method in result.methods:
            mean, spread = result.spread(method, shots)
            difference, outcome = _verdict(result, method, shots)
            first = method == result.methods[0]
            table.add_row(
                str(shots) if first else "",
                method,
                f"{mean:.3f} ± {spread:.3f}",
                _seconds(result, method, shots),
                difference,
                outcome,
                end_section=method == result.methods[-1],
            )
    return table


def _seconds(result: FewShotResult, method: FewShotMethod, shots: int) -> str:
    from statistics import median

    return f"{median(score.seconds for score in result.of(method, shots)):.2f}"


def _verdict(result: FewShotResult, method: FewShotMethod, shots: int) -> tuple[str, str]:
    for each in result.verdicts:
        if (each.method, each.shots) == (method, shots):
            found = each.verdict
            bounds = f"[{found.lower:+.3f}, {found.upper:+.3f}]"
            return f"{found.difference:+.3f} {bounds}", found.outcome
    return "", ""


def _kept(result: FewShotResult) -> str:
    kept = f"kept: {result.kept}, from draw 0 of {max(result.shots)} labels a class"
    if not result.held_out:
        return kept
    found = ", ".join(f"{name} {value:.3f}" for name, value in result.held_out.items())
    return f"{kept}; accuracy on rows held out of them: {found}"
