"""How far the kept model moved from its checkpoint, in words and as rows."""

from __future__ import annotations

from hf_transfer_plugin.records import Report
from hf_transfer_plugin.report.names import one_line
from hf_transfer_plugin.report.rows import Cells
from hf_transfer_plugin.report.words import number, percent

__all__ = ["drift_cells", "drift_sentences"]


def drift_sentences(report: Report) -> list[str]:
    """Return what became of the pretrained weights and features; empty if it was not measured."""
    drift = report.transfer.drift
    if drift is None:
        return []
    sentences = []
    if drift.whole is not None:
        name, most = max(drift.weights.items(), key=lambda each: each[1])
        text = (
            "Below the head, the weights of the kept model "
            f"(seed {report.transfer.best_seed}) have moved by {percent(drift.whole)} of their "
            "pretrained size (L2 norm)"
        )
        sentences.append(f"{text}, most of all {one_line(name)}: {percent(most)}.")
    else:
        sentences.append(
            "No pretrained weight has changed: what was learned is kept beside them, as an adapter."
        )
    if drift.similarity is not None:
        sentences.append(
            "The features that the head reads have a similarity of "
            f"{number(drift.similarity, 2)} with the pretrained ones, on {drift.examples} "
            "validation examples (debiased linear CKA: 1 is the same up to rotation and scale, "
            "about 0 unrelated)."
        )
    sentences.append(
        "Low similarity is a sign of forgetting, no proof: how well the model would still do on "
        "the data of its checkpoint was not measured."
    )
    return sentences


def drift_cells(report: Report) -> Cells | None:
    """Return the relative distance of each layer group, input first; None without any."""
    drift = report.transfer.drift
    if drift is None or not drift.weights:
        return None
    return Cells(
        "Distance of each layer group from its pretrained weights, input first: L2 norm of the "
        "change over that of the weights. The head has none, for it is drawn at random.",
        ("Layer group", "Moved"),
        [(one_line(name), percent(value)) for name, value in drift.weights.items()],
    )
