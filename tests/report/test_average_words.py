"""The average in card and page."""

from __future__ import annotations

from dataclasses import replace

from hf_transfer_plugin.records import Average, ChosenWeights, Report, RunResult
from hf_transfer_plugin.report import report_files
from hf_transfer_plugin.report.average_words import average_sentences
from hf_transfer_plugin.report.rows import seed_cells


def _averaged(report: Report, average: Average, *weights: ChosenWeights) -> Report:
    transfer = report.transfer
    plan = replace(transfer.plan, average=average)
    chosen = zip(transfer.seeds, weights, strict=False)
    seeds = tuple(replace(each, weights=found) for each, found in chosen)
    made: RunResult = replace(transfer, plan=plan, seeds=seeds + transfer.seeds[len(seeds) :])
    return replace(report, results=(made, *report.controls))


def test_method_cost_and_choice_stand_in_card_and_page(report: Report) -> None:
    better = ChosenWeights("alpha 0.7", {"plain": 0.5, "alpha 0.7": 0.625})
    same = ChosenWeights("plain", {"plain": 0.75, "alpha 0.7": 0.5})
    found = _averaged(report, Average("wise_ft"), better, same)
    told = report_files(found)
    for name in ("README.md", "report.html"):
        text = told[name].decode().replace("\\", "")
        assert "wise_ft (WiSE-FT, Wortsman et al. 2022; steps 10)" in text
        assert "10 passes over the validation rows" in text
        assert "seed 0 alpha 0.7 (50.0% to 62.5%), seed 1 the plain weights (75.0%)" in text
    scratch = [each.plan.name for each in report.controls if each.parameters]
    last = average_sentences(found)[-1]
    assert all(name in last for name in scratch) and "no start to go back to" in last


def test_the_seeds_show_their_weights_only_where_any_were_averaged(report: Report) -> None:
    assert "Weights" not in seed_cells(report).head and average_sentences(report) == []
    chosen = ChosenWeights("members 0, 2", {"plain": 0.5, "members 0, 2": 0.6})
    cells = seed_cells(_averaged(report, Average("soup"), chosen))
    assert cells.head[-1] == "Weights" and {len(row) for row in cells.rows} == {len(cells.head)}
    assert [row[-1] for row in cells.rows][:2] == ["members 0, 2", "–"]


def test_a_soup_tells_no_one_without_a_start(report: Report) -> None:
    words = " ".join(average_sentences(_averaged(report, Average("soup", {"members": 4}))))
    assert "4 trainings for each seed" in words and "no start" not in words
