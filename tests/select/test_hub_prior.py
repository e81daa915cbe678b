"""What the Hub says about a checkpoint is asked for politely and never needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi, constants
from huggingface_hub.hf_api import ModelInfo

from hf_transfer_plugin.select.hub_prior import HubPrior, hub_prior

CARD = {
    "model-index": [
        {
            "name": "m",
            "results": [
                {
                    "task": {"type": "text-classification"},
                    "dataset": {"name": "imdb", "type": "imdb"},
                    "metrics": [
                        {"type": "accuracy", "value": 0.93},
                        {"type": "f1", "value": "high"},
                    ],
                }
            ],
        }
    ]
}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """Answer in the Hub's stead, and note the questions."""
    seen: list[tuple[str, dict[str, Any]]] = []

    def model_info(_: HfApi, name: str, **options: Any) -> ModelInfo:
        seen.append((name, options))
        if name == "org/gone":
            raise OSError("no route to host")
        return ModelInfo(id=name, downloads=1234, cardData=CARD)

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(HfApi, "model_info", model_info)
    return seen


def test_downloads_and_declared_metrics(asked: list[tuple[str, dict[str, Any]]]) -> None:
    assert hub_prior("org/name", "main") == HubPrior(1234, {"accuracy on imdb": 0.93})
    ((name, options),) = asked
    assert name == "org/name" and options["revision"] == "main" and 0 < options["timeout"] <= 5


def test_no_answer_is_no_error(asked: list[tuple[str, dict[str, Any]]]) -> None:
    assert hub_prior("org/gone") == HubPrior() and len(asked) == 1


@pytest.mark.parametrize("name", ["sample:minilm", "./bert", "/bert", "~/bert", "there"])
def test_what_is_not_on_the_hub_is_not_asked_for(
    name: str,
    asked: list[tuple[str, dict[str, Any]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there").mkdir()
    assert hub_prior(name) == HubPrior() and not asked


def test_offline_nothing_is_asked(
    asked: list[tuple[str, dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert hub_prior("org/name") == HubPrior() and not asked
