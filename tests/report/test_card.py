from __future__ import annotations

import re
from dataclasses import replace

import pytest
import yaml
from huggingface_hub import ModelCard, ModelCardData

from hf_transfer_plugin.records import Report
from hf_transfer_plugin.report import draw_charts, model_card
from hf_transfer_plugin.report.canvas import Chart
from tests.report import samples

Charts = dict[str, Chart]


@pytest.fixture(scope="module")
def charts(report: Report) -> Charts:
    return draw_charts(report)


@pytest.fixture(scope="module")
def text(files: dict[str, bytes]) -> str:
    return files["README.md"].decode()


@pytest.fixture(scope="module")
def hostile_text(hostile_files: dict[str, bytes]) -> str:
    return hostile_files["README.md"].decode()


def test_hub_reads_the_metadata(text: str, report: Report) -> None:
    data = ModelCard(text).data
    assert data.license == "apache-2.0"
    assert data.library_name == "transformers"
    assert data.pipeline_tag == report.task
    assert data.base_model == "sentence-transformers/all-MiniLM-L6-v2"
    assert data.metrics == ["accuracy", "f1"]
    assert "transfer-learning" in data.tags
    assert data.get("datasets") is None


def test_results_are_those_of_the_published_seed(text: str, report: Report) -> None:
    data = ModelCard(text).data
    kept = next(seed for seed in report.transfer.seeds if seed.seed == report.transfer.best_seed)
    assert data.model_name == "questions"
    found = {result.metric_name: result.metric_value for result in data.eval_results}
    assert found == {"Accuracy": kept.test["accuracy"], "Macro F1": kept.test["macro_f1"]}
    assert {result.dataset_split for result in data.eval_results} == {"test"}
    again = ModelCardData(**yaml.safe_load(data.to_yaml()))
    assert again.eval_results == data.eval_results
    assert again.to_dict() == data.to_dict()


def test_body_gives_mean_and_interval_over_seeds(text: str) -> None:
    assert re.search(r"on average over 5 seeds \(95% interval 8\d\.\d% to 9\d\.\d%\)", text)
    assert "those of seed 3" in text
    assert 'pipeline("text-classification", model="someone/questions")' in text
    assert set(re.findall(r"\]\(([^)]*)\)", text)) == {
        f"plots/{name}.png" for name in ("ranking", "curves", "verdict", "confusion", "schedule")
    }


def test_first_sentence_says_that_transfer_harmed(charts: Charts) -> None:
    text = model_card(samples.report(0.70, 0.86), charts)
    body = text.split("\n# ", 1)[1].split("\n", 1)[1].strip()
    assert body.startswith(
        "**The transfer harmed: the control “from-scratch” is better than this model"
    )
    assert "Transfer minus control is −15.9 points of accuracy (95% interval" in body
    assert "No go" in body


@pytest.mark.parametrize(
    ("checkpoint", "base"),
    [
        ("distilbert-base-uncased", "distilbert-base-uncased"),
        ("org/model.v1", "org/model.v1"),
        ("sample:efficientnet-lite0", "timm/tf_efficientnet_lite0.in1k"),
        ("sample:unknown", None),
        ("baseline:majority", None),
        ("/home/me/bert", None),
        ("./bert", None),
        ("~/bert", None),
        ("C:\\models\\bert", None),
        ("runs/a/model", None),
        ("two words", None),
    ],
)
def test_base_model_is_a_hub_name_or_absent(
    checkpoint: str, base: str | None, charts: Charts
) -> None:
    text = model_card(samples.report(checkpoint=checkpoint), charts)
    assert ModelCard(text).data.base_model == base


@pytest.mark.parametrize(
    ("data", "datasets"),
    [
        ("imdb", ["imdb"]),
        ("org/reviews", ["org/reviews"]),
        ("reviews.csv", None),
        ("/data/reviews", None),
        ("sample:mnist", None),
    ],
)
def test_datasets_are_hub_names_or_absent(
    data: str, datasets: list[str] | None, charts: Charts
) -> None:
    found = ModelCard(model_card(samples.report(data=data), charts)).data
    assert found.get("datasets") == datasets
    assert found.eval_results


def test_random_weights_have_no_base_model(report: Report, charts: Charts) -> None:
    transfer = replace(report.transfer, plan=replace(report.transfer.plan, weights="random"))
    changed = replace(report, results=(transfer, *report.controls), licenses={})
    data = ModelCard(model_card(changed, charts)).data
    assert data.base_model is None and data.license is None


def test_hostile_names_stay_text(hostile_text: str) -> None:
    data = ModelCard(hostile_text).data
    assert data.eval_results and data.model_name.startswith(f"Title: {samples.SCRIPT} #")
    body = hostile_text.split("\n---\n", 1)[1]
    code = re.findall(r"^(`{3,})\w*\n.*?^\1$", body, flags=re.M | re.S)
    assert code == ["```", "````"]
    prose = re.sub(r"^(`{3,})\w*\n.*?^\1$", "", body, flags=re.M | re.S)
    assert prose.strip().splitlines()[0].endswith("--- - x: \\[y")
    assert "<" not in prose
    assert "[link]" not in prose and "https://evil" not in prose
    tables = [line for line in prose.splitlines() if line.startswith("|")]
    widths = {len(re.findall(r"(?<!\\)\|", line)) for line in tables}
    assert len(tables) > 15 and widths == {8, 7, 5, 3}


def test_no_local_path_and_no_token(hostile_text: str) -> None:
    assert "/home" not in hostile_text and "someone" not in hostile_text
    assert samples.TOKEN not in hostile_text
    assert "private data" in hostile_text


def test_markdown_of_one_seed_has_no_spread(charts: Charts) -> None:
    text = model_card(samples.without_intervals(), charts)
    assert "nan" not in text.lower().split()
    assert ModelCard(text).data.eval_results
