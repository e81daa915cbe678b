"""Two text sets that every installation holds, of the documentation of libraries.

Which library does a text belong to, and does it document a class or a function? Texts
are the first paragraphs of docstrings, read with `ast` (nothing is imported), with the library's
own name blanked. The source files of train, validation and test are disjoint.
"""

from __future__ import annotations

import ast
import hashlib
import re
import warnings
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datasets import DatasetDict

__all__ = ["KINDS", "LIBRARIES", "load", "load_kinds"]

LIBRARIES = (
    "datasets",
    "matplotlib",
    "networkx",
    "numpy",
    "pandas",
    "scipy",
    "sklearn",
    "sympy",
    "torch",
    "transformers",
)
KINDS = ("class", "function")
_KIND_OF: dict[type[ast.AST], str] = {
    ast.ClassDef: "class",
    ast.FunctionDef: "function",
    ast.Module: "module",
}
_PER_CLASS = {"train": 300, "validation": 100, "test": 150}
_SPLIT_OF_HEX_DIGIT = {digit: "train" for digit in "01234567"}
_SPLIT_OF_HEX_DIGIT |= {digit: "validation" for digit in "89a"}
_SPLIT_OF_HEX_DIGIT |= {digit: "test" for digit in "bcdef"}


def load() -> DatasetDict:
    """Return up to 3,000 / 1,000 / 1,500 texts; they follow from the installed versions alone."""
    rows: dict[str, list[tuple[str, str]]] = {split: [] for split in _PER_CLASS}
    seen: set[str] = set()
    for library in LIBRARIES:
        wanted = dict(_PER_CLASS)
        for split, text, _ in _texts(library):
            if wanted[split] and text not in seen:
                seen.add(text)
                wanted[split] -= 1
                rows[split].append((text, library))
            if not any(wanted.values()):
                break
    return _as_splits(rows, LIBRARIES)


def load_kinds() -> DatasetDict:
    """Return up to 600 / 200 / 300 texts, each what a class or a function says of itself.

    They follow from the installed versions alone; their splits are those of `load`, by file.
    """
    rows: dict[str, list[tuple[str, str]]] = {split: [] for split in _PER_CLASS}
    seen: set[str] = set()
    for library in LIBRARIES:
        share = {split: count // len(LIBRARIES) for split, count in _PER_CLASS.items()}
        wanted = {(split, kind): count for split, count in share.items() for kind in KINDS}
        for split, text, kind in _texts(library):
            if wanted.get((split, kind)) and text not in seen:
                seen.add(text)
                wanted[split, kind] -= 1
                rows[split].append((text, kind))
            if not any(wanted.values()):
                break
    return _as_splits(rows, KINDS)


def _as_splits(rows: dict[str, list[tuple[str, str]]], names: Sequence[str]) -> DatasetDict:
    """Return splits of (text, class name) as data sets."""
    from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

    features = Features({"text": Value("string"), "label": ClassLabel(names=list(names))})
    return DatasetDict(
        {
            split: Dataset.from_dict(
                {
                    "text": [text for text, _ in pairs],
                    "label": [names.index(name) for _, name in pairs],
                },
                features=features,
            )
            for split, pairs in rows.items()
        }
    )


def _texts(library: str) -> Iterator[tuple[str, str, str]]:
    """Yield (split, text, kind) from files in an order fixed but unrelated to their topic."""
    spec = find_spec(library)
    if spec is None or spec.origin is None:
        return
    root = Path(spec.origin).parent
    digests = {
        path: hashlib.sha256(path.relative_to(root).as_posix().encode()).hexdigest()
        for path in root.rglob("*.py")
        if "tests" not in path.relative_to(root).parts
    }
    name = re.compile(re.escape(library), re.IGNORECASE)
    for path, digest in sorted(digests.items(), key=lambda item: item[1]):
        for paragraph, kind in _paragraphs(path):
            text = name.sub("___", paragraph)
            yield _SPLIT_OF_HEX_DIGIT[digest[-1]], text, kind


def _paragraphs(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the first paragraph of each docstring of a file, and what it documents."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, UnicodeDecodeError):
        return
    for node in ast.walk(tree):
        if kind := _KIND_OF.get(type(node)):
            assert isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            text = " ".join((ast.get_docstring(node) or "").strip().partition("\n\n")[0].split())
            if 40 <= len(text) <= 400 and text.isascii():
                yield text, kind
