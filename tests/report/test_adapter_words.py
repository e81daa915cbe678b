"""The adapter in card, page and metadata, and the code that loads it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from huggingface_hub import ModelCard

from hf_transfer_plugin.records import Adapter, Report
from hf_transfer_plugin.report import report_files
from hf_transfer_plugin.report.adapter_words import adapter_sentences, adapter_snippet


def _with(report: Report, config: Any) -> Report:
    plan = replace(report.transfer.plan, adapter=Adapter.from_config(config))
    sizes = {"trainable_parameters": 50_000, "parameters": 1_000_000, "adapter_bytes": 1_234_567}
    return replace(report, results=(replace(report.transfer, plan=plan, **sizes), *report.controls))


def test_without_adapter_nothing_is_said(report: Report, files: dict[str, bytes]) -> None:
    assert adapter_sentences(report) == []
    assert b"## Adapter" not in files["README.md"]


@pytest.fixture(scope="module")
def alone(report: Report) -> dict[str, bytes]:
    config = {"name": "lora", "r": 4, "lora_plus": 16, "keep": "adapter"}
    config["target_modules"] = ["<b>*x*</b>"]
    return report_files(_with(report, config))


def test_kind_share_and_bytes_stand_in_card_and_page(alone: dict[str, bytes]) -> None:
    page, card = alone["report.html"].decode(), alone["README.md"].decode()
    assert "## Adapter" in card and "<h3>Adapter</h3>" in page
    for text in (page, card):
        assert "Hu et al. 2021" in text and "16 times the rate" in text
        assert "5.0% of the weights train" in text and "1.23 MB" in text
        assert "<b>*x*" not in text
    data = ModelCard(card).data
    assert data.library_name == "peft" and data.base_model_relation == "adapter"
    assert "PeftModel.from_pretrained" in card and "pipeline(" in card


def test_a_merged_one_is_a_plain_model(report: Report) -> None:
    merged = _with(report, "lora")
    data = ModelCard(report_files(merged)["README.md"].decode()).data
    assert data.library_name == "transformers" and data.get("base_model_relation") is None
    assert "transformers loads it" in adapter_sentences(merged)[-1]


@pytest.mark.parametrize("task", ["text-classification", "image-classification"])
def test_the_code_compiles(report: Report, task: Any) -> None:
    code = adapter_snippet(replace(report, task=task), "me/mine")
    compile(code, "card", "exec")
    assert ("AutoTokenizer" in code) is (task == "text-classification")
