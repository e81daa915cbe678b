"""Text from data and model names into Markdown, where it must stay text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hf_transfer_plugin.report.names import one_line
from hf_transfer_plugin.report.rows import Cells

if TYPE_CHECKING:
    from markupsafe import Markup

__all__ = ["escape", "fenced", "table"]

_SPECIAL = re.compile(r"([\\`*_\[\]{}|~#$])")
_LINK = re.compile(r"(?i)\b(https?|ftp)://|\bwww\.")


def escape(text: str) -> Markup:
    r"""Return one line in which nothing is Markdown or HTML.

    Examples:
        >>> str(escape("a|b\n<i>`c`"))
        'a\\|b &lt;i&gt;\\`c\\`'
    """
    from markupsafe import Markup

    text = _SPECIAL.sub(r"\\\1", one_line(text))
    # A bare address would become a link of its own accord.
    text = _LINK.sub(lambda found: found[0].replace(":", r"\:").replace(".", r"\."), text)
    for sign, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(sign, entity)
    return Markup(text)


def fenced(text: str, language: str = "") -> Markup:
    """Return a code block, fenced by more backticks than the text holds in a row."""
    from markupsafe import Markup

    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return Markup(f"{fence}{language}\n{text.strip()}\n{fence}")


def table(cells: Cells) -> Markup:
    """Return a Markdown table; columns of figures are set flush right."""
    from markupsafe import Markup

    words = {0, *cells.text_columns}
    ruler = "|".join(":---" if index in words else "---:" for index in range(len(cells.head)))
    lines = [_line(cells.head), f"|{ruler}|", *(_line(row) for row in cells.rows)]
    return Markup("\n".join(lines))


def _line(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(escape(cell) for cell in cells) + " |"
