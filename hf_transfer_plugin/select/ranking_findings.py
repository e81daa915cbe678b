"""What a ranking says, and what it does not, in plain words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hf_transfer_plugin.records import Candidate
from hf_transfer_plugin.select.static_prior import static_order

__all__ = ["ranking_findings"]

_DOUBT = ": this ranking gives no reason to transfer"
_PRIORS = {"downloads": "number of downloads", "parameters": "number of weights"}
_SUBJECTS = {"downloads": "popularity", "parameters": "size"}


def ranking_findings(
    ranked: Sequence[Candidate],
    baselines: Sequence[Candidate],
    *,
    score: str,
    chosen: Sequence[str],
    confidence: float,
    prior: str | None,
) -> tuple[str, ...]:
    """Return the findings, the most important first.

    Args:
        ranked: candidates with a score, best first.
        baselines: those that can be compared carry `against_best`.
        score: the one that orders.
        chosen: names in the confidence set.
        confidence: of the set.
        prior: what `static_rank` counts, or None.
    """
    best = ranked[0]
    findings = [_order(ranked, chosen, score, confidence)] if len(ranked) > 1 else []
    doubts = _doubts(best, baselines, score, confidence)
    findings += doubts
    elsewhere = []
    for name in list(best.scores)[1:]:
        ahead = [each for each in baselines if each.scores[name] >= best.against(each, name)]
        for rows, subject in _by_kind(ahead, best):
            elsewhere.append(f"by {name}, {_do(rows)} as well as {subject} or better")
    findings += elsewhere
    if not doubts:
        every = "every score" if not elsewhere else score
        findings.append(f"{best.checkpoint} beats every baseline by {every}")
    if prior is not None and static_order(ranked):
        findings.append(
            f"the ranking says nothing that the {_SUBJECTS[prior]} does not: its order is that of "
            f"the {_PRIORS[prior]}"
        )
    return tuple(findings)


def _named(several: Sequence[Candidate]) -> str:
    return ", ".join(f"{each.checkpoint} ({each.kind})" for each in several)


def _by_kind(rows: Sequence[Candidate], best: Candidate) -> Iterator[tuple[list[Candidate], str]]:
    """Return twins with random weights, then baselines without a network, and what each meets."""
    for kind in ("random", "baseline"):
        of_kind = [each for each in rows if each.kind == kind]
        layer = "the best layer of " if kind == "baseline" and best.best_layer else ""
        if of_kind:
            yield of_kind, f"{layer}{best.checkpoint}"


def _do(several: Sequence[Candidate]) -> str:
    return f"{_named(several)} {'does' if len(several) == 1 else 'do'}"


def _order(
    ranked: Sequence[Candidate], chosen: Sequence[str], score: str, confidence: float
) -> str:
    """Say who leads by the score; what fine-tuning reaches is another matter."""
    level = f"at {100 * confidence:g}% confidence"
    if len(chosen) == 1:
        leader = f"by {score}, {chosen[0]} is ahead of every other candidate"
        return f"{leader} {level} on rows like these"
    names = ", ".join(chosen[:-1]) + f" and {chosen[-1]}"
    if len(chosen) == len(ranked):
        return f"by {score}, no candidate can be told from the best {level}: {names}"
    first = tuple(each.checkpoint for each in ranked[: len(chosen)])
    which = f"the first {len(chosen)}" if first == tuple(chosen) else f"{len(chosen)}"
    return f"by {score}, {which} of {len(ranked)} candidates cannot be told apart {level}: {names}"


def _doubts(
    best: Candidate, baselines: Sequence[Candidate], score: str, confidence: float
) -> list[str]:
    found = []
    ahead = [each for each in baselines if each.against_best == "ahead"]
    level = [each for each in baselines if each.against_best == "level"]
    for rows, subject in _by_kind(ahead, best):
        found.append(f"by {score}, {_do(rows)} better than {subject}{_DOUBT}")
    for rows, subject in _by_kind(level, best):
        text = f"by {score}, {subject} cannot be told from {_named(rows)}"
        found.append(f"{text} at {100 * confidence:g}% confidence{_DOUBT}")
    if best.null is not None and best.scores[score] <= best.null[1]:
        found.append(
            f"by {score}, {best.checkpoint} does no better than with shuffled labels "
            f"(95% of them give {best.null[1]:.3f} or less){_DOUBT}"
        )
    return found
