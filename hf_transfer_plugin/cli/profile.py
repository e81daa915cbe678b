"""`hf-tl profile`: which layers of a checkpoint to transfer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from hf_transfer_plugin.cli.opening import Overrides, Source, open_line

if TYPE_CHECKING:
    from hf_transfer_plugin.layer_profile_record import LayerProfile

__all__ = ["command"]

Score = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Score of features; without it linear_probe_accuracy."),
]


def command(source: Source, overrides: Overrides = None, score: Score = None) -> None:
    """Score each layer of the checkpoint and suggest where to cut; writes layer_profile.json, .png.

    Without a checkpoint in the config the candidates are ranked first, and the best is profiled.
    """
    from hf_transfer_plugin.cli.showing import say

    line = open_line(source, overrides)
    profile = line.profile(score)
    _show(profile)
    for finding in profile.findings:
        say(f"- {finding}")
    say(f"\n{_suggestion(profile)}")
    say(f"\nwritten: {line.folder / 'layer_profile.json'}, {line.folder / 'layer_profile.png'}")


def _show(profile: LayerProfile) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from hf_transfer_plugin.processes import is_first

    table = Table(
        title=Text(f"Layers of {profile.checkpoint}"),
        caption=f"{profile.examples} training examples; ± {profile.confidence:.0%} interval",
    )
    table.add_column("layer")
    for heading in ("width", profile.score, "random weights"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for each in profile.layers:
        table.add_row(
            Text(each.layer),
            str(each.dimensions),
            f"{each.score:.3f} ± {(each.upper - each.lower) / 2:.3f}",
            f"{each.random:.3f} ± {(each.random_upper - each.random_lower) / 2:.3f}",
            "best" if each.layer == profile.best else "below best" if each.below_best else "",
        )
    if is_first():
        Console(highlight=False).print(table)


def _suggestion(profile: LayerProfile) -> str:
    pasted = f"schedule: {{phases: [{{train: {json.dumps(list(profile.train))}}}]}}"
    if not profile.freeze:
        return f"suggestion: freeze nothing\n{pasted}"
    first, last = profile.freeze[0], profile.freeze[-1]
    frozen = first if first == last else f"{first} to {last}"
    return f"suggestion: freeze {frozen}, train what follows\n{pasted}"
