"""The learning curves of few labels: drawn without a warning, and told in words."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest
from PIL import Image

from hf_transfer_plugin.few_shot_records import FewShotMethod
from hf_transfer_plugin.report.canvas import PALETTE
from hf_transfer_plugin.report.chart_few_shot import few_shot_chart
from tests.report.method_samples import few_shot_result


@pytest.mark.parametrize("methods", [("probe",), ("prototypes", "probe", "contrastive")])
def test_every_method_has_its_colour(methods: tuple[FewShotMethod, ...]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        chart = few_shot_chart(few_shot_result(methods))
    image = Image.open(io.BytesIO(chart.image)).convert("RGB")
    assert image.width == 1200
    pixels = np.asarray(image)
    shown = [
        bool((pixels == [int(color[i : i + 2], 16) for i in (1, 3, 5)]).all(-1).any())
        for color in PALETTE[:3]
    ]
    assert shown == [index < len(methods) for index in range(3)]


def test_words() -> None:
    chart = few_shot_chart(few_shot_result(("prototypes", "probe"), "/home/someone/model"))
    assert "prototypes 0.410 with 1, 0.410 with 8; probe 0.510 with 1" in chart.alt
    assert "over 2 draws" in chart.caption and "someone" not in chart.caption + chart.alt
