"""The learning curves of few labels: drawn without a warning, and told in words."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest
from PIL import Image

from hf_transfer_plugin.few_shot_records import FewShotMethod, FewShotResult, FewShotScore
from hf_transfer_plugin.report.canvas import PALETTE
from hf_transfer_plugin.report.chart_few_shot import few_shot_chart


def _result(methods: tuple[FewShotMethod, ...], checkpoint: str = "org/$x_{2}$") -> FewShotResult:
    scores = tuple(
        FewShotScore(method, shots, draw, {"accuracy": 0.4 + 0.1 * place + 0.02 * draw}, (), 1.0)
        for place, method in enumerate(methods)
        for shots in (1, 8)
        for draw in (0, 1)
    )
    return FewShotResult(
        "text-classification", checkpoint, "f" * 16, ("a", "b"), (), "accuracy",
        (1, 8), 2, methods, scores, (), methods[0], {},
    )  # fmt: skip


@pytest.mark.parametrize("methods", [("probe",), ("prototypes", "probe", "contrastive")])
def test_every_method_has_its_colour(methods: tuple[FewShotMethod, ...]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        chart = few_shot_chart(_result(methods))
    image = Image.open(io.BytesIO(chart.image)).convert("RGB")
    assert image.width == 1200
    pixels = np.asarray(image)
    shown = [
        bool((pixels == [int(color[i : i + 2], 16) for i in (1, 3, 5)]).all(-1).any())
        for color in PALETTE[:3]
    ]
    assert shown == [index < len(methods) for index in range(3)]


def test_words() -> None:
    chart = few_shot_chart(_result(("prototypes", "probe"), "/home/someone/model"))
    assert "prototypes 0.410 with 1, 0.410 with 8; probe 0.510 with 1" in chart.alt
    assert "over 2 draws" in chart.caption and "someone" not in chart.caption + chart.alt
