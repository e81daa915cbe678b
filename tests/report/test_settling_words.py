"""What would settle an open verdict, in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hf_transfer_plugin.decide.verdict import judge
from hf_transfer_plugin.records import Stop, Verdict
from hf_transfer_plugin.report.settling_words import basis_words, settle_words, stop_words
from hf_transfer_plugin.report.words import verdict_sentence
from hf_transfer_plugin.verdict_records import StopReason

OPEN = judge([0.87, 0.86, 0.85], [0.85, 0.86, 0.84])


@pytest.mark.parametrize(
    ("seeds", "examples", "words"),
    [
        (12, None, "About 12 seeds in all would settle it, if mean and spread stay as they are."),
        (1234, 904, "About 1,200 seeds and 900 test examples in all would settle it, if "),
        (None, 900, "More seeds alone would not settle it: about 900 test examples in all would"),
        (None, None, "More seeds or test examples would tell."),
    ],
)
def test_settle_words(seeds: int | None, examples: int | None, words: str) -> None:
    verdict = replace(OPEN, seeds_needed=seeds, examples_needed=examples)
    assert settle_words(verdict).startswith(words)
    assert verdict_sentence(verdict).endswith(settle_words(verdict))


def test_a_settled_verdict_needs_nothing() -> None:
    verdict = judge([0.91, 0.92, 0.90], [0.85, 0.85, 0.84])
    assert (settle_words(verdict), verdict.seeds_needed) == ("", None)


def test_an_open_verdict_says_how_many_seeds() -> None:
    assert OPEN.outcome == "inconclusive" and OPEN.seeds_needed is not None
    assert f"About {OPEN.seeds_needed} seeds" in settle_words(OPEN)


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        (OPEN, ""),
        (replace(OPEN, sequential=True), "Seeds were added one at a time and looked at"),
        (
            replace(OPEN, stop=Stop(3, (3, 10), 0.9955, "futile"), baseline="a\nb"),
            "The comparison with “a b” stopped at the look at 3 of at most 10 paired seeds: futile",
        ),
        (replace(OPEN, family=3), "one of 3 candidates judged together (Holm's correction)"),
    ],
)
def test_basis_words(verdict: Verdict, words: str) -> None:
    assert words in basis_words(verdict) and bool(words) == bool(basis_words(verdict))


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("settled", "stopped at the look at 3 of at most 10 paired seeds: settled"),
        ("futile", "stopped at the look at 3 of at most 10 paired seeds: futile, for the last"),
        ("budget", "stopped at the look at 3 of at most 10 paired seeds: the next look would exce"),
        ("", "stands at the look at 3 of at most 10 paired seeds: it goes on"),
    ],
)
def test_stop_words(reason: StopReason, words: str) -> None:
    assert stop_words(replace(OPEN, stop=Stop(3, (3, 5, 10), 0.9955, reason))).startswith(words)
    assert stop_words(OPEN) == ""
