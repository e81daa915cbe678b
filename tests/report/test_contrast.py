"""Text on a colour can be read, whatever the colour."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from matplotlib.typing import ColorType

from hf_transfer_plugin.report.contrast import readable_ink
from hf_transfer_plugin.report.rate_colors import RateColors
from tests.report.contrasts import ENOUGH, contrast


@pytest.mark.parametrize(
    ("background", "ink"),
    [
        ("white", "black"),
        ("black", "white"),
        ("#ffff00", "black"),  # yellow
        ("#0000ff", "white"),  # blue
        ("#6e6e6e", "white"),
        ("#7f7f7f", "black"),  # half of the signal is a fifth of the light
        ((0.0, 0.45, 0.7, 1.0), "white"),
    ],
)
def test_the_ink_of_a_color(background: ColorType, ink: str) -> None:
    assert readable_ink(background) == ink


def test_every_color_can_be_written_on() -> None:
    assert contrast("black", "white") == 21
    for color in product(np.linspace(0, 1, 18), repeat=3):
        assert contrast(readable_ink(color), color) >= ENOUGH


def test_every_rate_can_be_written_on_its_color() -> None:
    rates = np.geomspace(1e-6, 1e-2, 120)
    colors = RateColors(rates)
    assert {colors.ink(rate) for rate in rates} == {"white", "black"}
    assert all(contrast(colors.ink(rate), colors.color(rate)) >= ENOUGH for rate in rates)
