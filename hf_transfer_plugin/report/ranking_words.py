"""WHAT in plain words: the first candidate, its ties, and what it has to beat."""

from __future__ import annotations

import math

from hf_transfer_plugin.records import Candidate, Ranking, Report
from hf_transfer_plugin.report.forecast_words import forecast_sentence
from hf_transfer_plugin.report.names import display_name, one_line
from hf_transfer_plugin.report.words import counted, listed, number

__all__ = ["best_rival", "ranking_sentence", "tied_candidates"]


def best_rival(ranking: Ranking) -> Candidate | None:
    """Return the random network or baseline that is hardest to beat by the ordering score."""
    scored = [
        row for row in ranking.baselines if math.isfinite(row.scores.get(ranking.score, math.nan))
    ]
    hard = ("beaten", None, "level", "ahead")

    def strength(row: Candidate) -> tuple[int, float]:
        return hard.index(row.against_best), row.scores[ranking.score]

    return max(scored, key=strength, default=None)


def tied_candidates(ranking: Ranking) -> tuple[str, ...]:
    """Return display names of the confidence set, best first.

    Empty in files of old versions, and when no two candidates were scored: nothing to tell apart.
    """
    scored = sum(each.error is None for each in ranking.candidates)
    return tuple(map(display_name, ranking.confidence_set)) if scored > 1 else ()


def _tie_words(ranking: Ranking) -> str:
    """Return whom the first candidate cannot be told from; empty when that is not known."""
    tied = tied_candidates(ranking)
    if not tied:
        return ""
    others = tied[1:]
    score = one_line(ranking.score.replace("_", " "))
    level = f"at {100 * ranking.confidence:g}% confidence on rows like these"
    if not others:
        return f" By {score} it is ahead of the others {level}."
    named = listed(others) if len(others) <= 3 else f"{len(others)} others"
    return f" By {score} it cannot be told from {named} {level}."


def ranking_sentence(report: Report) -> str:
    """Return WHAT in plain words: the best checkpoint, its score, and what it has to beat."""
    ranking = report.ranking
    best = next((row for row in ranking.candidates if ranking.score in row.scores), None)
    if best is None:
        return "No candidate checkpoint could be scored."
    score, name = best.scores[ranking.score], one_line(ranking.score.replace("_", " "))
    count = counted(len(ranking.candidates), "candidate")
    text = (
        f"{display_name(best.checkpoint)} ranks first of {count}, with {name} {number(score)} "
        f"on {ranking.examples} training examples."
    )
    text += _tie_words(ranking)
    rival = best_rival(ranking)
    if rival is not None:
        against, own = rival.scores[ranking.score], best.against(rival, ranking.score)
        subject = "It" if own == score else f"Its best layer ({number(own)})"
        beats = "beats" if own > against else "does not beat"
        relation = "cannot be told from" if rival.against_best == "level" else beats
        text += (
            f" {subject} {relation} the best comparison without transfer, "
            f"{display_name(rival.checkpoint)} ({number(against)})."
        )
    used = report.transfer.plan.checkpoint
    if used != best.checkpoint:
        text += f" This run transferred {display_name(used)} instead."
    forecast = forecast_sentence(ranking, used)
    return f"{text} {forecast}" if forecast else text
