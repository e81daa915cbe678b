"""What a ranking says in words, and the order that would be the same for any data."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest

from hf_transfer_plugin.records import Candidate
from hf_transfer_plugin.select.ranking_findings import ranking_findings
from hf_transfer_plugin.select.static_prior import with_static_ranks

Against = Literal["beaten", "level", "ahead"]


def _row(name: str, logme: float, parameters: int = 10, knn: float = 0.5) -> Candidate:
    scores = {"logme": logme, "knn_accuracy": knn}
    return Candidate(name, "pretrained", scores, parameters, null=(-1.0, -0.9))


def _plain(against: Against, knn: float = 0.1) -> Candidate:
    scores = {"logme": 0.2, "knn_accuracy": knn}
    return Candidate("tfidf", "baseline", scores, against_best=against)


ONE, TWO, THREE = _row("a", 0.5, 30), _row("b", 0.4, 20), _row("c", 0.1, 40)
LAYERED = replace(ONE, best_layer={"logme": 0.6, "knn_accuracy": 0.6})
DOUBT = "this ranking gives no reason to transfer"
# name -> (candidates, baseline, confidence set, said, not said)
CASES: dict[str, tuple[list[Candidate], Candidate, list[str], list[str], list[str]]] = {
    "its best layer beats the baseline": (
        [LAYERED, TWO],
        _plain("beaten", knn=0.55),
        ["a"],
        ["a beats every baseline by every score"],
        [DOUBT, "as well as"],
    ),
    "its best layer does not": (
        [LAYERED, TWO],
        _plain("level", knn=0.7),
        ["a"],
        [
            "by logme, the best layer of a cannot be told from tfidf (baseline)",
            "by knn_accuracy, tfidf (baseline) does as well as the best layer of a or better",
        ],
        ["a beats"],
    ),
    "a clear first": (
        [ONE, TWO, THREE],
        _plain("beaten"),
        ["a"],
        [
            "by logme, a is ahead of every other candidate at 90% confidence on rows like these",
            "a beats every baseline by every",
        ],
        [DOUBT, "says nothing"],
    ),
    "a tie of some": (
        [ONE, TWO, THREE],
        _plain("beaten"),
        ["a", "b"],
        ["by logme, the first 2 of 3 candidates cannot be told apart at 90% confidence: a and b"],
        [DOUBT],
    ),
    "a tie that leaves one out": (
        [ONE, TWO, THREE],
        _plain("beaten"),
        ["a", "c"],
        ["by logme, 2 of 3 candidates cannot be told apart at 90% confidence: a and c"],
        ["the first"],
    ),
    "a tie of all": (
        [ONE, TWO, THREE],
        _plain("beaten"),
        ["a", "b", "c"],
        ["by logme, no candidate can be told from the best at 90% confidence: a, b and c"],
        [],
    ),
    "a baseline within the noise": (
        [ONE],
        _plain("level"),
        ["a"],
        [f"by logme, a cannot be told from tfidf (baseline) at 90% confidence: {DOUBT}"],
        ["beats every baseline", "ahead of every other"],
    ),
    "a baseline that is better": (
        [ONE],
        _plain("ahead"),
        ["a"],
        [f"by logme, tfidf (baseline) does better than a: {DOUBT}"],
        ["beats every baseline"],
    ),
    "another score": (
        [ONE],
        _plain("beaten", knn=0.6),
        ["a"],
        ["by knn_accuracy, tfidf (baseline) does as well as a or better", "baseline by logme"],
        [DOUBT, "every score"],
    ),
    "no better than shuffled labels": (
        [replace(ONE, null=(0.3, 0.6))],
        _plain("beaten"),
        ["a"],
        ["a does no better than with shuffled labels (95% of them give 0.600 or less)", DOUBT],
        ["beats every baseline"],
    ),
    "the order of the size": (
        [replace(THREE, scores=ONE.scores), ONE, TWO],
        _plain("beaten"),
        ["c"],
        ["says nothing that the size does not: its order is that of the number of weights"],
        [],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_findings(name: str) -> None:
    assert len(CASES) == 11
    candidates, baseline, chosen, said, unsaid = CASES[name]
    ranked, prior = with_static_ranks(candidates)
    found = ranking_findings(
        ranked, [baseline], score="logme", chosen=chosen, confidence=0.9, prior=prior
    )
    text = "\n".join(found)
    assert all(part in text for part in said), text
    assert not [part for part in unsaid if part in text], text


def test_downloads_count_only_when_all_are_known() -> None:
    some = [replace(ONE, downloads=5), TWO, THREE]
    ranked, prior = with_static_ranks(some)
    assert prior == "parameters" and [each.static_rank for each in ranked] == [2, 3, 1]
    ranked, prior = with_static_ranks([replace(each, downloads=7) for each in some[:2]])
    assert prior == "downloads" and [each.static_rank for each in ranked] == [1, 1]
