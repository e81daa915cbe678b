"""`hf-tl doctor`: whether this machine is ready to train, and what is known to go wrong on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hf_transfer_plugin.doctor import Finding

__all__ = ["command"]

NoHub = Annotated[bool, typer.Option("--no-hub", help="Do not ask the Hub.")]
_STYLES = {"ok": "green", "note": "cyan", "warning": "yellow", "error": "bold red"}


def command(no_hub: NoHub = False) -> None:
    """Look at versions, GPU, cores, memory, disk, the Hub, and known faults of other libraries.

    Ends with exit code 2 when something must be mended before anything trains.
    """
    from hf_transfer_plugin.cli.showing import say
    from hf_transfer_plugin.doctor import diagnose
    from hf_transfer_plugin.errors import SetupError

    parts = diagnose(hub=not no_hub)
    for part, findings in parts.items():
        _show(part, findings)
    found = [each for findings in parts.values() for each in findings]
    counts = {level: sum(each.level == level for each in found) for level in _STYLES}
    say(", ".join(f"{number} {level}" for level, number in counts.items()))
    broken = [each for each in found if each.level == "error"]
    if broken:
        raise SetupError(
            arrived="; ".join(f"{each.subject}: {each.found}" for each in broken),
            expected="no errors above",
            action="; ".join(dict.fromkeys(each.action for each in broken)),
        )


def _show(part: str, findings: tuple[Finding, ...]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from hf_transfer_plugin.processes import is_first

    table = Table.grid(padding=(0, 2))
    table.add_column(min_width=7)
    table.add_column(overflow="fold", max_width=26)
    table.add_column(overflow="fold")
    for each in findings:
        told = Text(each.found)
        if each.action:
            told.append(f"\n-> {each.action}", style="dim")
        table.add_row(Text(each.level, style=_STYLES[each.level]), Text(each.subject), told)
    console = Console(highlight=False)
    if is_first():
        console.print(Text(f"{part}\n", style="bold"), table, "", sep="")
