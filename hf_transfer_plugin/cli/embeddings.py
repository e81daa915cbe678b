"""`hf-tl embeddings`: a file of word vectors becomes a checkpoint."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hf_transfer_plugin.word_vectors.making import StaticEmbeddings

__all__ = ["command"]


class Format(StrEnum):
    """Formats of word vectors."""

    auto = "auto"
    word2vec = "word2vec"
    glove = "glove"
    fasttext = "fasttext"


class Pooling(StrEnum):
    """How the vectors of the known words of a text become one."""

    mean = "mean"
    max = "max"
    mean_max = "mean_max"


File = Annotated[Path, typer.Argument(help="Text or binary, also gzipped.")]
Out = Annotated[Path, typer.Option(metavar="FOLDER", help="Where to write; must be new.")]
FileFormat = Annotated[Format, typer.Option("--format", help="auto tells it from the content.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Keep the first N words.", metavar="N")]
Lowercase = Annotated[
    bool | None,
    typer.Option(help="Lower-case texts; without it, if no word has an upper-case letter."),
]
Pool = Annotated[Pooling, typer.Option("--pooling", help="Over the known words of a text.")]
Data = Annotated[
    str | None,
    typer.Option(metavar="DATA|CONFIG.yaml", help="Say how much of its train split has a vector."),
]


def command(
    file: File,
    out: Out,
    format: FileFormat = Format.auto,
    limit: Limit = None,
    lowercase: Lowercase = None,
    pooling: Pool = Pooling.mean,
    data: Data = None,
) -> None:
    """Make a checkpoint from word2vec, GloVe or fastText vectors; name its folder in a config.

    With --data, a fastText .bin also gives vectors to words of the data that it does not hold.
    """
    from hf_transfer_plugin.cli.showing import say
    from hf_transfer_plugin.word_vectors.making import require_new, static_embeddings

    require_new(out)
    made = static_embeddings(
        file,
        format=format.value,
        limit=limit,
        lowercase=lowercase,
        pooling=pooling.value,
        texts=_texts(data) if data else (),
    )
    made.save(out)
    for line in _told(made):
        say(line)
    say(f"\nwritten: {out}")


def _texts(data: str) -> list[str]:
    from hf_transfer_plugin.config import load_config
    from hf_transfer_plugin.data import load_data
    from hf_transfer_plugin.records import DataSpec

    spec = load_config(data).data if data.endswith((".yaml", ".yml")) else DataSpec(data)
    found = load_data(spec, "text-classification")
    return [text for name in found.inputs for text in found.splits["train"][name]]


def _told(made: StaticEmbeddings) -> list[str]:
    words, dimension = made.model.embeddings.weight.shape
    lines = [
        f"{made.form}: {words - 2:,} words of {dimension} numbers",
        "texts are brought into lower case" if made.lowercase else "upper and lower case differ",
    ]
    if made.spaced:
        lines.append(f"left out: {made.spaced:,} with a space, which no text can reach")
    if made.merged:
        lines.append(f"left out: {made.merged:,} spelled like a more frequent one in lower case")
    if made.from_parts:
        lines.append(f"made from n-grams: {made.from_parts:,} words of the data")
    return lines + str(made.coverage or "").splitlines()
