"""The table of `hf-tl rank` on a narrow and a wide terminal: no number is cut."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from hf_transfer_plugin.cli.ranking_table import ranking_notes, ranking_table
from hf_transfer_plugin.records import Candidate, Ranking

SCORES = {"logme": -0.0674, "h_score": 3.532, "knn_accuracy": 0.608, "linear_probe_accuracy": 0.7}


def _ranking() -> Ranking:
    first = Candidate(
        "sample:minilm",
        "pretrained",
        SCORES,
        22_700_000,
        384,
        47.7,
        examples=500,
        downloads=1_234_567,
        interval=(-0.0971, -0.0372),
        null=(-0.31, -0.304),
        estimated_seconds=29.7,
        feature_seconds=26.3,
        declared={"accuracy on imdb": 0.93},
        static_rank=2,
    )
    second = Candidate(
        "an-organisation/a-quite-long-checkpoint-name-uncased",
        "pretrained",
        {**SCORES, "logme": -0.1152},
        335_000_000,
        examples=125,
        interval=(-0.1423, -0.0891),
        static_rank=1,
    )
    scores = {**SCORES, "logme": -0.0844}
    twin = Candidate("sample:minilm", "random", {**SCORES, "logme": -0.208}, 22_700_000)
    return Ranking(
        task="text-classification",
        data="f00d",
        score="logme",
        examples=500,
        candidates=(first, second, Candidate("org/gone", "pretrained", error="no such\nthing")),
        baselines=(twin, Candidate("tfidf", "baseline", scores, seconds=9.4)),
        confidence_set=("sample:minilm",),
        static_prior="parameters",
    )


def _printed(ranking: Ranking, width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(ranking_table(ranking, width))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 120])
def test_every_number_is_there(width: int) -> None:
    text = _printed(_ranking(), width)
    assert all(len(line) <= width for line in text.splitlines()) and "…" not in text
    for number in ("-0.067*", "-0.097,", "-0.037", "-0.208", "22.7M", "335M", "26", "(30)", "125"):
        assert number in text, number
    assert ("1.23M" in text) == (width > 100)
    assert "-0.115*" not in text and "-0.084" in text and "org/gone" not in text
    # What the baseline took is not the time of a pass.
    assert "-0.084" in (row := text[text.index("tfidf") :]) and "9.4" not in row


@pytest.mark.parametrize("width", [80, 120])
def test_the_best_layer_has_a_column_where_each_is_scored(width: int) -> None:
    made = _ranking()
    first = replace(made.candidates[0], best_layer={"logme": 0.4321, "h_score": 9.0})
    text = _printed(replace(made, candidates=(first, *made.candidates[1:])), width)
    assert all(len(line) <= width for line in text.splitlines()) and "…" not in text
    assert "0.432" in text and "layer" in text and "layer" not in _printed(made, width)


def test_notes_say_how_to_read_it() -> None:
    notes = "\n".join(ranking_notes(_ranking()))
    assert "* cannot be told from the best at 90% confidence" in notes
    assert "org/gone failed: no such" in notes and "thing" not in notes
    assert "sample:minilm declares accuracy on imdb 0.93 (unchecked)" in notes
    assert "by number of weights alone: an-organisation/a-quite-long" in notes


def test_equal_numbers_of_weights_are_no_order() -> None:
    made = _ranking()
    first, second, gone = made.candidates
    third = replace(second, checkpoint="org/third", static_rank=2)
    notes = ranking_notes(replace(made, candidates=(first, second, third, gone)))
    assert f"by number of weights alone: {second.checkpoint}, sample:minilm = org/third" in notes


def test_a_single_candidate_is_not_marked() -> None:
    made = _ranking()
    alone = replace(made, candidates=(made.candidates[0], made.candidates[-1]))
    assert "*" not in _printed(alone, 80) + "".join(ranking_notes(alone))


def test_a_ranking_of_an_earlier_version() -> None:
    row = Candidate("a", "pretrained", {"logme": 0.5}, 10, 4, 1.25)
    old = Ranking("text-classification", "f00d", "logme", 40, (row,))
    text = _printed(old, 80)
    assert "0.500" in text and "*" not in text and "interval" not in text
    assert ranking_notes(old) == []
