"""The ranking in words, table and chart: intervals, ties, and files of earlier versions."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from hf_transfer_plugin.records import Candidate, Forecast, Ranking, Report
from hf_transfer_plugin.report import draw_charts, model_card
from hf_transfer_plugin.report.chart_ranking import ranking_chart
from hf_transfer_plugin.report.public import public_report
from hf_transfer_plugin.report.ranking_rows import ranking_cells
from hf_transfer_plugin.report.ranking_words import best_rival, ranking_sentence
from tests.report import samples

BY = "By linear probe accuracy"
LOCAL = "/home/someone/flowers"


def _with(ranking: Ranking) -> Report:
    return replace(samples.report(), ranking=ranking)


@pytest.fixture
def ranking() -> Ranking:
    """Two of three candidates tie, one of them was left behind on fewer examples."""
    made = samples.ranking()
    first, second, third, gone = made.candidates
    twin, tfidf, majority = made.baselines
    return replace(
        made,
        candidates=(
            replace(first, interval=(0.85, 0.89), null=(0.2, 0.25), examples=1000, downloads=5000),
            replace(second, checkpoint=LOCAL, interval=(0.82, 0.86), examples=1000),
            replace(third, interval=(0.7, 0.9), examples=250, declared={"accuracy on imdb": 0.93}),
            gone,
        ),
        baselines=(
            replace(twin, against_best="beaten", interval=(0.4, 0.43)),
            replace(tfidf, against_best="level", interval=(0.7, 0.88)),
            replace(majority, against_best="beaten"),
        ),
        confidence_set=("sample:minilm", LOCAL),
    )


def test_words_name_the_tie_and_the_rival_that_noise_leaves(ranking: Ranking) -> None:
    text = ranking_sentence(_with(ranking))
    assert f"{BY} it cannot be told from flowers at 90% confidence on rows like these." in text
    assert "It cannot be told from the best comparison without transfer, tfidf-logistic" in text
    alone = replace(ranking, confidence_set=("sample:minilm",))
    ahead = f"{BY} it is ahead of the others at 90% confidence on rows like these."
    assert ahead in ranking_sentence(_with(alone))
    many = replace(ranking, confidence_set=("sample:minilm", *"abcd"))
    assert "it cannot be told from 4 others at" in ranking_sentence(_with(many))
    # A higher score that is beaten is no rival beside one that is not.
    rival = best_rival(replace(ranking, baselines=ranking.baselines[:2]))
    assert rival is not None and rival.checkpoint == "tfidf-logistic"


def test_a_baseline_without_a_network_meets_the_best_layer(ranking: Ranking) -> None:
    first, *rest = ranking.candidates
    layered = replace(first, best_layer={ranking.score: 0.95})
    made = _with(replace(ranking, candidates=(layered, *rest)))
    assert "Its best layer (0.950) cannot be told from" in ranking_sentence(made)
    cells = ranking_cells(made)
    columns = dict(zip(cells.head, zip(*cells.rows, strict=True), strict=True))
    assert columns[f"{ranking.score.replace('_', ' ')}, best layer"][:2] == ("0.950", "–")


def test_the_table_shows_what_is_known(ranking: Ranking) -> None:
    cells = ranking_cells(_with(ranking))
    columns = dict(zip(cells.head, zip(*cells.rows, strict=True), strict=True))
    assert columns["90% interval"][:2] == ("0.850 to 0.890", "0.820 to 0.860")
    assert columns["Cannot be told from the best"] == ("yes", "yes", "", "", "", "", "")
    assert columns["Shuffled labels (95%)"][0] == "0.250"
    assert columns["Examples"][:4] == ("1000", "1000", "250", "–")
    assert columns["Downloads"][:2] == ("5,000", "–")
    assert columns["Declared on its card"][2] == "accuracy on imdb 0.93"
    assert "paired differences" in cells.caption


def test_earlier_rankings_are_shown_as_before() -> None:
    old = samples.report()
    cells = ranking_cells(old)
    assert cells.head == (
        "Checkpoint",
        "Kind",
        "linear probe accuracy",
        "logme",
        "Weights",
        "Seconds",
        "Error",
    )
    assert cells.text_columns == (1, 6)
    text = ranking_sentence(old)
    assert "cannot be told" not in text and "It beats the best comparison" in text
    assert "interval" not in ranking_chart(old).caption


def test_the_chart_draws_intervals_and_marks_the_set(ranking: Ranking) -> None:
    chart = ranking_chart(_with(ranking))
    assert "90% intervals that hold for all rows at once" in chart.caption
    narrow = replace(
        ranking,
        candidates=tuple(replace(each, interval=None) for each in ranking.candidates),
        baselines=tuple(replace(each, interval=None) for each in ranking.baselines),
    )
    without = replace(ranking, confidence_set=())
    images = {ranking_chart(_with(each)).image for each in (ranking, narrow, without)}
    assert len(images) == 3


def test_what_leaves_the_machine_names_no_folder_and_keeps_the_marks(ranking: Ranking) -> None:
    report = _with(ranking)
    assert "/home" not in model_card(report, draw_charts(report))
    public = public_report(report)
    cells = ranking_cells(public)
    assert [row[0] for row in cells.rows if "yes" in row] == ["sample:minilm", "flowers"]
    names = {each.checkpoint for each in public.ranking.candidates}
    assert public.ranking.confidence_set == ("sample:minilm", "./flowers")
    assert names >= set(public.ranking.confidence_set)


def test_reasons_are_whole_in_the_table_and_begin_in_the_chart(ranking: Ranking) -> None:
    gone = replace(ranking.candidates[3], error="no such folder: ./x\n  expected: y\n  to do: z")
    report = _with(replace(ranking, candidates=(*ranking.candidates[:3], gone)))
    assert ranking_cells(report).rows[3][-1] == "no such folder: ./x; expected: y; to do: z"
    short = replace(gone, error="no such folder: ./x")
    changed = _with(replace(ranking, candidates=(*ranking.candidates[:3], short)))
    assert ranking_chart(report).image == ranking_chart(changed).image


def test_one_candidate_is_not_shown_as_ahead_of_others(ranking: Ranking) -> None:
    alone = replace(ranking, candidates=ranking.candidates[:1], confidence_set=("sample:minilm",))
    unknown = replace(alone, confidence_set=())
    assert ranking_chart(_with(alone)).image == ranking_chart(_with(unknown)).image
    cells = ranking_cells(_with(alone))
    assert "Cannot be told from the best" not in cells.head and "all rows at once" in cells.caption


def test_scores_below_zero_are_drawn_as_those_above(ranking: Ranking) -> None:
    def lower(row: Candidate) -> Candidate:
        ends = row.interval and (row.interval[0] - 5, row.interval[1] - 5)
        return replace(row, scores={k: v - 5 for k, v in row.scores.items()}, interval=ends)

    below = replace(
        ranking,
        candidates=tuple(map(lower, ranking.candidates)),
        baselines=tuple(map(lower, ranking.baselines)),
    )
    blue = [_columns(ranking_chart(_with(each)).image) for each in (ranking, below)]
    assert abs(blue[0] - blue[1]) < 30


def _columns(image: bytes) -> float:
    """Return where the blue of the first candidate lies, in pixels from the left."""
    pixels = np.asarray(Image.open(io.BytesIO(image)).convert("RGB"))[:120]
    return float(np.flatnonzero((pixels == (0x00, 0x72, 0xB2)).all(-1).any(0)).mean())


def test_the_forecast_of_what_is_transferred(ranking: Ranking) -> None:
    used = samples.report().transfer.plan.checkpoint
    score = ranking.score
    forecasts = (
        Forecast(used, "random", score, -0.25, -0.375, -0.125, "harm"),
        Forecast(used, "tfidf-logistic", score, 0.0, -0.5, 0.5, "none"),
        Forecast(LOCAL, "random", score, 0.5, 0.25, 0.75, "help"),
    )
    report = _with(replace(ranking, forecasts=forecasts))
    words = (
        f"Forecast before training: {used}: expected to harm by linear probe accuracy, −0.250 "
        "[−0.375, −0.125] against random weights, 0.000 [−0.500, 0.500] against tfidf-logistic "
        "(no forecast) (90% intervals; about frozen features, no verdict)."
    )
    assert ranking_sentence(report).endswith(words)
    assert "expected to harm" in model_card(report, draw_charts(report))
    table = ranking_cells(report)
    place = table.head.index("Forecast against random weights")
    cells = [row[place] for row in table.rows]
    assert cells[:2] == [
        "expected to harm, −0.250 [−0.375, −0.125]",
        "expected to help, +0.500 [0.250, 0.750]",
    ]
    assert set(cells[2:]) == {"–"}
    assert LOCAL not in str(public_report(report).to_json())
    assert "Forecast" not in ranking_sentence(_with(ranking))
