"""The front matter of a model card."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hf_transfer_plugin.records import DataSpec, Report
from hf_transfer_plugin.report.adapter_words import is_kept_alone
from hf_transfer_plugin.report.evidence import kept_seed
from hf_transfer_plugin.report.names import display_name, hub_dataset, hub_model, one_line
from hf_transfer_plugin.report.static_words import is_static

if TYPE_CHECKING:
    from huggingface_hub import EvalResult, ModelCardData

__all__ = ["Published", "card_metadata", "front_matter"]

# Key in the test results -> type, name and arguments of the metric on the Hub.
_METRICS: dict[str, tuple[str, str, dict[str, str] | None]] = {
    "accuracy": ("accuracy", "Accuracy", None),
    "f1": ("f1", "F1", None),
    "f1_macro": ("f1", "Macro F1", {"average": "macro"}),
    "macro_f1": ("f1", "Macro F1", {"average": "macro"}),
}


@dataclass(frozen=True)
class Published:
    """What the front matter says of a model.

    Attributes:
        title: its name, where it has none on the Hub.
        task: what it does.
        base: Hub name of the checkpoint it came from; None: from none, or from a folder.
        spec: the data it learned from.
        test: metric name -> value of these very weights on the test split.
        license: of the checkpoint, where known.
        library: that loads it; None: no library does so as a whole.
        is_adapter: its weights are an adapter of the base.
        repository: its name on the Hub, if known.
    """

    title: str
    task: str
    base: str | None
    spec: DataSpec
    test: Mapping[str, float]
    license: str | None
    library: str | None = "transformers"
    is_adapter: bool = False
    repository: str | None = None


def card_metadata(report: Report, repository: str | None) -> ModelCardData:
    """Return licence, base model, data and results of a report as the Hub reads them.

    The results are those of the seed whose weights are published, not the mean over seeds.

    Args:
        report: what the run gave.
        repository: name of the model on the Hub, if known.
    """
    plan, alone = report.transfer.plan, is_kept_alone(report)
    # An adapter fits the very weights it was trained on, and no others.
    base = plan.checkpoint if alone else report.source_checkpoint
    return front_matter(
        Published(
            title=report.title,
            task=report.task,
            base=hub_model(base) if plan.weights == "pretrained" else None,
            spec=plan.data,
            test=kept_seed(report.transfer).test,
            license=report.licenses.get("checkpoint"),
            library=_library(report),
            is_adapter=alone,
            repository=repository,
        )
    )


def _library(report: Report) -> str:
    if is_static(report):
        return "hf-transfer-plugin"
    return "peft" if is_kept_alone(report) else "transformers"


def front_matter(model: Published) -> ModelCardData:
    """Return what stands before a card, as the Hub reads it."""
    from huggingface_hub import ModelCardData

    dataset = hub_dataset(model.spec.path)
    results = _eval_results(model)
    fields: dict[str, Any] = {
        "base_model": model.base,
        "base_model_relation": "adapter" if model.base and model.is_adapter else None,
        "datasets": [dataset] if dataset else None,
        "library_name": model.library,
        "license": model.license,
        "metrics": list(dict.fromkeys(result.metric_type for result in results)) or None,
        "pipeline_tag": model.task,
        "tags": ["transfer-learning", "hf-transfer-plugin", model.task],
    }
    if results:
        own = model.repository.rpartition("/")[2] if model.repository else one_line(model.title)
        fields |= {"model_name": own or "model", "eval_results": results}
    return ModelCardData(**fields)


def _eval_results(model: Published) -> list[EvalResult]:
    from huggingface_hub import EvalResult

    spec, test = model.spec, model.test
    name = display_name(spec.path)
    return [
        EvalResult(
            task_type=model.task,
            task_name=model.task.replace("-", " ").capitalize(),
            dataset_type=hub_dataset(spec.path) or name.replace(":", "-"),
            dataset_name=name,
            dataset_config=spec.name,
            dataset_split=spec.test_split,
            dataset_revision=spec.revision,
            metric_type=_METRICS[key][0],
            metric_name=_METRICS[key][1],
            metric_args=_METRICS[key][2],
            metric_value=test[key],
        )
        for key in _METRICS
        if key in test and math.isfinite(test[key])
    ]
