"""The front matter of a model card."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from hf_transfer_plugin.records import Report
from hf_transfer_plugin.report.adapter_words import is_kept_alone
from hf_transfer_plugin.report.evidence import kept_seed
from hf_transfer_plugin.report.names import display_name, hub_dataset, hub_model, one_line
from hf_transfer_plugin.report.static_words import is_static

if TYPE_CHECKING:
    from huggingface_hub import EvalResult, ModelCardData

__all__ = ["card_metadata"]

# Key in the test results -> type, name and arguments of the metric on the Hub.
_METRICS: dict[str, tuple[str, str, dict[str, str] | None]] = {
    "accuracy": ("accuracy", "Accuracy", None),
    "f1": ("f1", "F1", None),
    "f1_macro": ("f1", "Macro F1", {"average": "macro"}),
    "macro_f1": ("f1", "Macro F1", {"average": "macro"}),
}


def card_metadata(report: Report, repository: str | None) -> ModelCardData:
    """Return licence, base model, data and results as the Hub reads them.

    The results are those of the seed whose weights are published, not the mean over seeds.

    Args:
        report: what the run gave.
        repository: name of the model on the Hub, if known.
    """
    from huggingface_hub import ModelCardData

    plan = report.transfer.plan
    dataset = hub_dataset(plan.data.path)
    base = hub_model(plan.checkpoint) if plan.weights == "pretrained" else None
    relation = "adapter" if base and is_kept_alone(report) else None
    results = _eval_results(report)
    fields: dict[str, Any] = {
        "base_model": base,
        "base_model_relation": relation,
        "datasets": [dataset] if dataset else None,
        "library_name": _library(report),
        "license": report.licenses.get("checkpoint"),
        "metrics": list(dict.fromkeys(result.metric_type for result in results)) or None,
        "pipeline_tag": report.task,
        "tags": ["transfer-learning", "hf-transfer-plugin", report.task],
    }
    if results:
        name = repository.rpartition("/")[2] if repository else one_line(report.title)
        fields |= {"model_name": name or "model", "eval_results": results}
    return ModelCardData(**fields)


def _library(report: Report) -> str:
    if is_static(report):
        return "hf-transfer-plugin"
    return "peft" if is_kept_alone(report) else "transformers"


def _eval_results(report: Report) -> list[EvalResult]:
    from huggingface_hub import EvalResult

    plan = report.transfer.plan
    test = kept_seed(report.transfer).test
    name = display_name(plan.data.path)
    return [
        EvalResult(
            task_type=report.task,
            task_name=report.task.replace("-", " ").capitalize(),
            dataset_type=hub_dataset(plan.data.path) or name.replace(":", "-"),
            dataset_name=name,
            dataset_config=plan.data.name,
            dataset_split=plan.data.test_split,
            dataset_revision=plan.data.revision,
            metric_type=_METRICS[key][0],
            metric_name=_METRICS[key][1],
            metric_args=_METRICS[key][2],
            metric_value=test[key],
        )
        for key in _METRICS
        if key in test and math.isfinite(test[key])
    ]
