"""The cards of few labels and of one task: read by the Hub, true to their records, safe."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from huggingface_hub import ModelCard

from hf_transfer_plugin.report.few_shot_card import few_shot_files
from hf_transfer_plugin.report.task_card import task_card
from tests.report.method_samples import few_shot_result, multitask_report
from tests.report.samples import SCRIPT, TOKEN

SECRET = "/home/someone/private data"
HOSTILE: dict[str, Any] = {
    "checkpoint": SECRET,
    "path": f"{SECRET}/rows",
    "command": f"HF_TOKEN={TOKEN} hf-tl few-shot '{SECRET}/few.yaml'\n```\n# {SCRIPT}",
}


def test_few_labels() -> None:
    methods = ("prototypes", "probe", "contrastive")
    files = few_shot_files(few_shot_result(methods, "sample:minilm"))
    assert set(files) == {"README.md", "few_shot.json", "plots/few_shot.png"}
    text = files["README.md"].decode()
    data = ModelCard(text).data
    assert data.base_model == "sentence-transformers/all-MiniLM-L6-v2" and data.license == "mit"
    assert (
        data.datasets == ["org/data"]
        and data.model_name == "all-MiniLM-L6-v2 from 8 labels a class"
    )
    # The weights are those of draw 0; no pipeline loads encoder and head of texts together.
    (result,) = data.eval_results
    assert result.metric_value == pytest.approx(0.6) and data.get("library_name") is None
    for words in (
        "**Contrastive tuning of the encoder, then a logistic regression",
        "test accuracy 61.0% ± 1.4 from 8 labels a class",
        "| 8 | contrastive | 61.0% ± 1.4 | +10.0 | +5.0 to +15.0 | helped | 1.00 |",
        "| 8 | probe | 51.0% ± 1.4 |  |  |  | 1.00 |",
        "their own test accuracy is 60.0%, which is the figure in the metadata",
        'load_file(f"{folder}/classifier.safetensors")',
        "hf-tl few-shot few.yaml",
    ):
        assert words in text, words


def test_few_labels_with_one_method_compare_nothing() -> None:
    text = few_shot_files(few_shot_result(("probe",)))["README.md"].decode()
    assert "Differences" not in text and "nothing to choose the method by" in text


def test_a_task() -> None:
    report = multitask_report()
    text = task_card(report, "size", "topic")
    data = ModelCard(text).data
    (result,) = data.eval_results
    assert result.metric_value == 0.625 and data.library_name == "transformers"
    assert data.base_model == "sentence-transformers/all-MiniLM-L6-v2"
    for words in (
        "**Training together harmed: this task is at 50.0% test accuracy, alone at",
        "| size | 50.0% | −10.0 | −15.0 to −5.0 | harmed |",
        "those of way size, seed 3,",
        "Training together harmed topic.",
        'pipeline("text-classification", model="topic")',
        "beside it the task mood on the same network",
    ):
        assert words in text, words
    assert "**Training together helped:" in task_card(report, "size", "mood")


def test_names_stay_text_and_secrets_stay_here() -> None:
    few = few_shot_files(few_shot_result(("probe",), classes=(SCRIPT, "b|c"), **HOSTILE))
    task = f"mood {SCRIPT}"
    one = task_card(multitask_report((task, "b"), title=SCRIPT, **HOSTILE), "size", task)
    cards = [few["README.md"].decode(), one]
    for card in cards:
        body = card.split("\n---\n", 1)[1]
        outside = re.sub(r"^(`{3,})\w*\n.*?^\1$", "", body, flags=re.DOTALL | re.MULTILINE)
        assert f"# {SCRIPT}" in body and "<script" not in outside and "&lt;script" in outside
        assert ModelCard(card).data.get("base_model") is None
    for text in (*cards, few["few_shot.json"].decode()):
        assert "someone" not in text and TOKEN not in text
    assert json.loads(few["few_shot.json"])["spec"]["path"] == "./rows"
