"""`hf-tl zero-shot`: classes named from their texts alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hf_transfer_plugin.cli.opening import Overrides

if TYPE_CHECKING:
    from rich.table import Table

    from hf_transfer_plugin.few_shot_records import ZeroShotResult

__all__ = ["command"]

Config = Annotated[Path, typer.Argument(metavar="CONFIG", help="A YAML config for zero labels.")]


def command(config: Config, overrides: Overrides = None) -> None:
    """Name classes from label texts, without an example: zero_shot.json.

    Sentence embeddings or entailment for texts, CLIP and its like for images.
    """
    from rich.console import Console

    from hf_transfer_plugin.cli.showing import say
    from hf_transfer_plugin.few_labels.configs import load_zero_shot
    from hf_transfer_plugin.few_labels.zero_shot import zero_shot

    read = load_zero_shot(config, overrides or [])
    result = zero_shot(read)
    Console(highlight=False).print(_table(result))
    value = result.test[read.metric]
    say(
        f"test {read.metric} {value:.3f} on {len(result.labels):,} examples, {result.seconds:.1f} "
        f"s; accuracy of the most frequent class {result.majority:.3f}"
    )
    say(f"\nwritten: {Path(read.run_folder) / result.file_name}")


def _table(result: ZeroShotResult) -> Table:
    from rich.table import Table
    from rich.text import Text

    from hf_transfer_plugin.report.names import display_name

    table = Table(
        title=Text(f"Zero labels: {display_name(result.checkpoint)}, {result.method}"),
        caption="scores centred over unlabelled rows" if result.even_prior else None,
    )
    for heading in ("class", "text"):
        table.add_column(heading)
    for heading in ("examples", "named", "recall"):
        table.add_column(heading, justify="right")
    for index, name in enumerate(result.class_names):
        answers = [p for p, t in zip(result.predictions, result.labels, strict=True) if t == index]
        recall = f"{answers.count(index) / len(answers):.3f}" if answers else ""
        named = str(result.predictions.count(index))
        text = result.label_texts[index][0]
        table.add_row(Text(name), Text(text), str(len(answers)), named, recall)
    return table
