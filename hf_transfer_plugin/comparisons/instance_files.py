"""Which source rows were trusted, as files of a run folder."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from hf_transfer_plugin.adapt.instances import InstanceWeights
from hf_transfer_plugin.comparisons.instance_settings import InstanceTransferConfig
from hf_transfer_plugin.data import TargetData
from hf_transfer_plugin.report.trusted_rows import (
    TrustedRow,
    Trusting,
    picture_grid,
    trusted_page,
    weights_chart,
)

__all__ = ["weight_files"]

EXCERPT = 300


def weight_files(
    config: InstanceTransferConfig, source: TargetData, weights: Mapping[str, InstanceWeights]
) -> dict[str, bytes]:
    """Return relative path -> content: weights as CSV, a page, a histogram, for images a grid.

    Args:
        config: how many rows are shown, and the heading.
        source: the rows that were weighed.
        weights: method -> weights of the rows of train.
    """
    if not weights:
        return {}
    files: dict[str, bytes] = {}
    methods = []
    for name, found in weights.items():
        most, least = found.most(config.shown), found.least(config.shown)
        methods.append(
            Trusting(
                name,
                tuple(found.values.tolist()),
                found.effective_size,
                most=_rows(source, found, most),
                least=_rows(source, found, least),
                details=found.details,
                findings=found.findings,
            )
        )
        if config.task == "image-classification":
            pictures = [_pictures(source, rows) for rows in (most, least)]
            files[f"plots/trusted_{name}.png"] = picture_grid(*pictures)
    lines = ["row," + ",".join(weights)]
    columns = zip(*(found.values for found in weights.values()), strict=True)
    lines += [f"{row}," + ",".join(f"{w:.6g}" for w in each) for row, each in enumerate(columns)]
    title = config.title or "Instance transfer"
    return {
        "weights.csv": ("\n".join(lines) + "\n").encode(),
        "weights.html": trusted_page(title, methods, pictures=sorted(files)).encode(),
        "plots/weights.png": weights_chart(methods).image,
        **files,
    }


def _rows(source: TargetData, found: InstanceWeights, rows: list[int]) -> tuple[TrustedRow, ...]:
    labels = source.splits["train"]["label"]
    texts = _texts(source, rows) if source.task == "text-classification" else [""] * len(rows)
    return tuple(
        TrustedRow(row, float(found.values[row]), source.class_names[labels[row]], text[:EXCERPT])
        for row, text in zip(rows, texts, strict=True)
    )


def _texts(source: TargetData, rows: list[int]) -> list[str]:
    chosen = source.splits["train"].select(rows)
    return [" / ".join(str(row[name]) for name in source.inputs) for row in chosen]


def _pictures(source: TargetData, rows: list[int]) -> list[bytes]:
    """Return each picture as PNG, 96 pixels wide and high."""
    (column,) = source.inputs
    found = []
    for row in source.splits["train"].select(rows):
        image: Any = row[column].convert("RGB").resize((96, 96))
        buffer = io.BytesIO()
        image.save(buffer, format="PNG")
        found.append(buffer.getvalue())
    return found
