"""How much of some texts a vocabulary knows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

__all__ = ["Coverage", "coverage"]

_SHOWN = 8


@dataclass(frozen=True)
class Coverage:
    """What of some texts is known.

    Attributes:
        texts: how many were read.
        silent: texts without a known word, which all look alike to the network.
        tokens: words and signs in them.
        known: of these, those with a vector.
        kinds: different words and signs.
        known_kinds: of these, those with a vector.
        unknown: the most frequent ones without a vector.
    """

    texts: int
    silent: int
    tokens: int
    known: int
    kinds: int
    known_kinds: int
    unknown: tuple[str, ...]

    def __str__(self) -> str:
        lines = [
            f"known: {_share(self.known, self.tokens)} of {self.tokens:,} tokens, "
            f"{_share(self.known_kinds, self.kinds)} of {self.kinds:,} different ones",
            f"texts without a known word: {self.silent:,} of {self.texts:,}",
        ]
        if self.unknown:
            lines.append(f"most frequent unknown: {'  '.join(self.unknown)}")
        return "\n".join(lines)


def coverage(counts: Sequence[Counter[str]], known: Collection[str]) -> Coverage:
    """Measure how much of some texts is known.

    Args:
        counts: of each text, its words as the tokenizer cuts them.
        known: words with a vector.
    """
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    with_vector = {word: count for word, count in total.items() if word in known}
    unknown = (word for word, _ in total.most_common() if word not in with_vector)
    return Coverage(
        texts=len(counts),
        silent=sum(all(word not in with_vector for word in each) for each in counts),
        tokens=total.total(),
        known=sum(with_vector.values()),
        kinds=len(total),
        known_kinds=len(with_vector),
        unknown=tuple(word for word, _ in zip(unknown, range(_SHOWN), strict=False)),
    )


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}%" if whole else "nothing"
