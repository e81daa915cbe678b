"""The card of a model that learned from few labels."""

from __future__ import annotations

from statistics import median

from hf_transfer_plugin.few_shot_records import FewShotMethod, FewShotResult
from hf_transfer_plugin.records import Verdict
from hf_transfer_plugin.report.chart_few_shot import few_shot_chart
from hf_transfer_plugin.report.metadata import Published
from hf_transfer_plugin.report.names import display_name, hub_model
from hf_transfer_plugin.report.public import public_record
from hf_transfer_plugin.report.rows import Cells
from hf_transfer_plugin.report.short_card import ShortCard, short_card
from hf_transfer_plugin.report.use_words import pipeline_snippet
from hf_transfer_plugin.report.words import (
    bounds_words,
    counted,
    interval_name,
    metric_name,
    number,
    percent,
    points,
)

__all__ = ["few_shot_files"]

_PLOT = "few_shot"
_WHERE = "where this file lies, or its name on the Hub"
_TEXT_USE = """\
import torch
from safetensors.torch import load_file
from transformers import AutoModel, AutoTokenizer

folder = "model"  # where this file lies
tokenizer, encoder = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)
head = load_file(f"{folder}/classifier.safetensors")
inputs = tokenizer(["a text"], padding=True, truncation=True, return_tensors="pt")
with torch.no_grad():
    states, mask = encoder(**inputs).last_hidden_state, inputs["attention_mask"][:, :, None]
vectors = torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1).clamp(min=1))
scores = vectors @ head["weight"].T + head["bias"]
labels = [encoder.config.id2label[index] for index in scores.argmax(1).tolist()]
"""
_METHODS: dict[FewShotMethod, str] = {
    "prototypes": "The mean of each class (Snell et al. 2017) on frozen features",
    "probe": "A logistic regression on frozen features",
    "contrastive": "Contrastive tuning of the encoder, then a logistic regression (SetFit, "
    "Tunstall et al. 2022)",
}


def few_shot_files(result: FewShotResult) -> dict[str, bytes]:
    """Return the files beside the weights: card, picture and record, fit for the Hub.

    Returns:
        Relative path with forward slashes -> content.
    """
    result = public_record(result)
    chart = few_shot_chart(result)
    shots, metric = max(result.shots), metric_name(result.metric)
    classes = len(result.class_names)
    mean, spread = result.spread(result.kept, shots)
    base = hub_model(result.checkpoint)
    name = base or display_name(result.checkpoint)
    images = result.task == "image-classification"
    own = percent(result.kept_score.test[result.metric])
    card = ShortCard(
        model=Published(
            title=f"{name.rpartition('/')[2]} from {counted(shots, 'label')} a class",
            task=result.task,
            base=base,
            spec=result.spec,
            test=result.kept_score.test,
            license=result.licenses.get("checkpoint"),
            library="transformers" if images else None,
        ),
        first=f"{_METHODS[result.kept]}: test {metric} {percent(mean)} ± "
        f"{100 * spread:.1f} from {counted(shots, 'label')} a class, mean and standard deviation "
        f"over {result.draws} draws of {shots * classes} examples.",
        results=_cells(result),
        published=f"The weights published here learned from draw 0 of {counted(shots, 'label')} a "
        f"class; their own test {metric} is {own}, which is the figure in the metadata. "
        f"{_choice(result)}",
        plot=_PLOT,
        alt=chart.alt,
        limits=[
            f"It was tested on {len(result.labels):,} examples like those it was trained on; "
            "elsewhere it may do worse.",
            f"It learned from {shots * classes} examples: which ones were drawn moves its "
            f"{metric} by the standard deviation above.",
        ],
        snippet=pipeline_snippet(result.task, "model", _WHERE) if images else _TEXT_USE,
        learned_from=[
            f"{display_name(result.data.path)}: draws are taken from train, and its other labels "
            "are not read; validation is not read at all.",
            f"Weights of {name}.",
        ],
        data=result.data,
        command=result.command,
        environment=result.environment,
        created=result.created,
    )
    return {
        "README.md": short_card(card).encode("utf-8", errors="replace"),
        result.file_name: result.to_text().encode("utf-8", errors="replace"),
        f"plots/{_PLOT}.png": chart.image,
    }


def _choice(result: FewShotResult) -> str:
    if not result.held_out:
        return "There was nothing to choose the method by."
    found = ", ".join(f"{name} {number(value)}" for name, value in result.held_out.items())
    return f"Accuracy on rows held out of that draw chose the method: {found}."


def _cells(result: FewShotResult) -> Cells:
    verdicts = {(each.shots, each.method): each.verdict for each in result.verdicts}
    rows: list[tuple[str, ...]] = []
    for shots in result.shots:
        for method in result.methods:
            mean, spread = result.spread(method, shots)
            seconds = median(score.seconds for score in result.of(method, shots))
            against = _against(verdicts.get((shots, method)))
            rows.append(
                (str(shots), method, f"{percent(mean)} ± {100 * spread:.1f}", *against,
                 number(seconds, 2))
            )  # fmt: skip
    return Cells(
        f"Test {metric_name(result.metric)}, mean ± standard deviation over {result.draws} draws; "
        f"every method learns from the same rows.{_basis(result)} Median seconds to fit.",
        ("Labels a class", "Method", "Mean ± sd", "Difference", "Interval", "Outcome", "Seconds"),
        rows,
        text_columns=(1, 5),
    )


def _basis(result: FewShotResult) -> str:
    if not result.verdicts:
        return ""
    verdict = result.verdicts[0].verdict
    return f" Differences are to {verdict.baseline}, in points, {interval_name(verdict)}."


def _against(verdict: Verdict | None) -> tuple[str, str, str]:
    if verdict is None:
        return "", "", ""
    return points(verdict.difference), bounds_words(verdict), verdict.outcome
