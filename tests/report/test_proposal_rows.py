"""What the planner proposed, in page, card and record."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hf_transfer_plugin.adapter_records import Adapter
from hf_transfer_plugin.proposal_records import Kept, Proposal
from hf_transfer_plugin.records import Report
from hf_transfer_plugin.report import public_report
from hf_transfer_plugin.report.proposal_rows import ShownProposal, shown_proposal
from hf_transfer_plugin.report.proposal_words import card_sentences
from tests.report import proposals, samples

RULE = "Proposed by the planner, by rule: "


def shown(report: Report, proposal: Proposal) -> ShownProposal:
    found = shown_proposal(replace(report, proposal=proposal))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("proposal", "sentence"),
    [
        (proposals.by_rule(), f"{RULE}“lora, lp_ft” comes first for data like these."),
        (
            proposals.by_rule(budget_minutes=90.0),
            f"{RULE}“lora, lp_ft” comes first of what fits the budget of 90 minutes.",
        ),
        (
            proposals.by_rule(budget_minutes=0.05),
            f"{RULE}nothing fits the budget of 0.05 minutes, “head alone” is the cheapest.",
        ),
        (
            proposals.after_pilot(),
            "Proposed by the planner after a pilot: of 4 options, short trainings chose “lp_ft” on "
            "validation rows.",
        ),
    ],
)
def test_who_chose(proposal: Proposal, sentence: str, report: Report) -> None:
    assert shown(report, proposal).sentence == sentence
    assert card_sentences(proposal)[0].startswith(f"The plan was p{sentence[1:]}")


def test_every_option_with_its_cost_and_the_price_of_the_pilot(report: Report) -> None:
    found = shown(report, proposals.after_pilot())
    rows = dict(zip(found.options.head, zip(*found.options.rows, strict=True), strict=True))
    assert rows["Option"] == ("lora, lp_ft", "lp_ft (chosen)", "full", "ia3", "head alone")
    assert rows["Time"][2] == "20.0 min" and rows["Memory, MiB"][2] == "346"
    assert rows["Pilot, 33%"][1:] == ("0.779", "0.735", "0.573", "–")
    assert rows["Pilot, 100%"] == ("0.800", "0.870", "–", "–", "–")
    assert found.pilot == (
        "Accuracy 0.870 on validation against 0.800 of “lora, lp_ft”. The pilot took 2.1 min and "
        "26,668 rows: 6 trainings with seed 0."
    )
    assert "for 400 rows of 6 classes" in found.options.caption
    assert "Pilot: accuracy on validation" in found.options.caption
    budget = shown(report, proposals.by_rule(budget_minutes=9.0))
    assert "about 20.0 minutes" in budget.options.rows[2][-1]


def test_reasons_have_figures_and_what_was_written_is_yours(report: Report) -> None:
    kept = Kept(adapter=Adapter("lora"), training={"learning_rate": 7e-4, "max_steps": 300})
    rows = shown(report, proposals.by_rule(kept=kept)).reasons.rows
    assert [row[1] for row in rows] == [
        "lora, lp_ft (the adapter is yours)",
        "none",
        "none",
        "0.0007 (yours)",
        "300 steps (yours)",
    ]
    assert rows[0][3].startswith("trec6 (580 rows) +0.3 [-1.2, +1.8]")
    assert rows[0][4] == "recipes/benchmarks/results/adapters_few_rows.md"
    assert rows[3][2:] == ("you wrote it", "–", "your config")
    first, reasons, written = card_sentences(proposals.by_rule(kept=kept))
    assert "; the config has the adapter (trec6" in reasons and "you " not in reasons
    assert written == (
        "The config, not the planner, decided the adapter, the learning rate and the length."
    )
    option = shown(report, proposals.by_rule(kept=kept)).options.rows[0]
    assert option[1:3] == ("yours", "yours")


def test_a_report_without_a_proposal_has_no_trace_of_it(
    report: Report, files: dict[str, bytes]
) -> None:
    assert "proposal" not in report.to_json() and card_sentences(None) == []
    assert Report.from_json(report.to_json()) == report
    for name in ("report.html", "README.md", "report.json"):
        assert b"planner" not in files[name] and b'"proposal"' not in files[name]


def test_the_record_holds_it(report: Report) -> None:
    made = replace(report, proposal=proposals.after_pilot())
    assert Report.from_json(made.to_json()) == made
    assert public_report(made).proposal == made.proposal


def test_hostile_texts_stay_text(hostile_files: dict[str, bytes]) -> None:
    page, card = (hostile_files[name].decode() for name in ("report.html", "README.md"))
    # Code at the end of a card is fenced, not escaped.
    card = card.split("## How it was transferred")[1].split("\n## ")[0]
    for text in (page, card):
        assert "planner after a pilot" in text
        assert "<script" not in text and samples.TOKEN not in text
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt; | *x* [link]") > 20
    assert "\\*x\\* \\[link\\](https\\://evil" in card and "/home/" not in card
