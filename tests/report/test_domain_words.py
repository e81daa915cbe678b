"""Two domains in card and page: labels, choice, and harm named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hf_transfer_plugin.records import DataSpec, Objective, Report
from hf_transfer_plugin.report import report_files
from hf_transfer_plugin.report.domain_words import domain_sentences
from hf_transfer_plugin.source_weight_records import SourceWeights, WeighedSource


def _across(report: Report, control: str, **changed: object) -> Report:
    """Return the report as one of two domains, harmed by comparison with a control."""
    plan = replace(report.transfer.plan, source=DataSpec("data/photo"), **changed)
    seeds = tuple(replace(each, kept_step=4) for each in report.transfer.seeds)
    transfer = replace(report.transfer, plan=plan, seeds=seeds)
    first = replace(report.controls[0], plan=replace(report.controls[0].plan, name=control))
    verdict = replace(
        report.verdict, baseline=control, outcome="harmed", difference=-0.125, others=()
    )
    return replace(report, results=(transfer, first, *report.controls[1:]), verdict=verdict)


@pytest.mark.parametrize(
    ("labels", "control", "told"),
    [
        ("source", "source-only", "The target harms: “source-only”, without it, is better by 12.5"),
        ("source", "target-only", "The target's labels would give more: “target-only” is better"),
        ("both", "target-only", "The source harms: “target-only”, without it, is better by 12.5"),
        ("both", "source-and-target", "Rows of both domains give more"),
        ("source", "per-domain-standardised", "Training a network does not pay"),
    ],
)
def test_harm_is_named_where_it_happens(
    report: Report, labels: str, control: str, told: str
) -> None:
    found = _across(report, control, labels=labels, choose_by="entropy")
    words = " ".join(domain_sentences(found))
    assert told in words and "seed 0 step 4 of" in words
    assert "prediction entropy, Morerio et al. 2018" in words and "low is good" in words
    quiet = replace(found, verdict=replace(found.verdict, outcome="helped"))
    assert told not in " ".join(domain_sentences(quiet))


def test_weights_are_told_with_what_they_leave(report: Report) -> None:
    weights = SourceWeights("mean_matching")
    found = _across(report, "source-and-target", labels="both", source_weights=weights)
    transfer = replace(found.transfer, weighed=WeighedSource(1370, 342.5))
    words = " ".join(domain_sentences(replace(found, results=(transfer, *found.controls))))
    assert "Huang et al. 2007; bound 5, components 100): 1,370 rows count as 342." in words
    assert "The weights harm: “source-and-target”, whose rows count alike, is better by" in words


def test_card_and_page_say_whose_labels_were_read(report: Report) -> None:
    assert domain_sentences(report) == []
    found = _across(
        report,
        "source-only",
        labels="source",
        choose_by="source",
        objective=Objective("coral"),
        adapt_batch_norm=True,
    )
    for name in ("README.md", "report.html"):
        text = report_files(found)[name].decode().replace("\\", "")
        assert "It learned from labels of the source (data/photo) alone" in text
        assert "whose rows train without their labels, whose rows gave the batch norms" in text
        assert "chosen by source validation" in text
    card = report_files(found)["README.md"].decode()
    assert "like those it was trained on" not in card and "in another domain it may" in card
