from __future__ import annotations

import io
import warnings
from dataclasses import replace

import matplotlib
import numpy as np
import pytest
from PIL import Image

from hf_transfer_plugin.layer_profile_record import LayerProfile, LayerScore
from hf_transfer_plugin.report.chart_profile import profile_chart


def profile(names: tuple[str, ...] = ("embeddings", "layer.0", "layer.1", "neck")) -> LayerProfile:
    """Return a profile whose last but one layer is best, and whose last is source-specific."""
    scores = np.linspace(0.5, 0.9, len(names))
    scores[-1] = 0.6
    layers = tuple(
        LayerScore(name, 16, score, score - 0.03, score + 0.03, 0.5, 0.45, 0.55, place != 2)
        for place, (name, score) in enumerate(zip(names, scores.tolist(), strict=True))
    )
    return LayerProfile(
        task="text-classification",
        data="0",
        checkpoint="sample:minilm",
        score="linear_probe_accuracy",
        examples=500,
        confidence=0.95,
        layers=layers,
        best=names[-2],
        source_specific_from=names[-1],
        beats_random=True,
        freeze=names[:-1],
        train=("top:0",),
    )


def nothing_found() -> LayerProfile:
    return replace(
        profile(), source_specific_from=None, beats_random=False, freeze=(), train=("*",)
    )


def one_layer() -> LayerProfile:
    found = profile(("a", "b"))
    return replace(found, layers=found.layers[:1], source_specific_from=None, freeze=("a",))


CASES = {
    "plain": profile(),
    "best at the input": replace(profile(), best="embeddings", freeze=("embeddings",)),
    "nothing found": nothing_found(),
    "one layer": one_layer(),
    "130 layers": profile(tuple(f"blocks.{number}" for number in range(130))),
    "hostile names": replace(
        profile(("$\\frac$", "日本", "a" * 80, "<script>", "x\ny")),
        checkpoint="/home/someone/my models/$we_ird`name",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_it_is_drawn(case: str) -> None:
    assert len(CASES) == 6
    before = dict(matplotlib.rcParams)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        chart = profile_chart(CASES[case])
    image = Image.open(io.BytesIO(chart.image)).convert("RGB")
    assert image.width == 1200 and image.height >= 500
    colors = image.getcolors(image.width * image.height)
    assert colors is not None and len(colors) > 10
    assert dict(matplotlib.rcParams) == before
    assert profile_chart(CASES[case]).image == chart.image
    assert "someone" not in chart.caption + chart.alt


def _share(found: LayerProfile, color: str) -> float:
    image = np.asarray(Image.open(io.BytesIO(profile_chart(found).image)).convert("RGB"))
    wanted = [int(color[place : place + 2], 16) for place in (1, 3, 5)]
    return float((image == wanted).all(-1).mean())


def test_what_is_frozen_and_what_is_specific_is_shaded() -> None:
    found = profile()
    frozen, specific = "#e6e8eb", "#fbe3d6"
    assert _share(found, frozen) > 2 * _share(found, specific) > 0.1
    assert _share(nothing_found(), frozen) == _share(nothing_found(), specific) == 0.0


def test_a_cut_behind_the_last_layer_leaves_room_for_the_head() -> None:
    found = replace(profile(), best="neck", source_specific_from=None)
    whole = replace(found, freeze=tuple(each.layer for each in found.layers), train=("head",))
    image = Image.open(io.BytesIO(profile_chart(whole).image)).convert("RGB")
    pixels = np.asarray(image)[: image.height // 2]
    frozen = np.flatnonzero((pixels == (0xE6, 0xE8, 0xEB)).all(-1).any(0)).max()
    dashes = np.flatnonzero((pixels == (0x1F, 0x23, 0x28)).all(-1).sum(0) > pixels.shape[0] / 4)
    assert frozen < dashes.max() + 3 < image.width - 20


def test_words() -> None:
    chart = profile_chart(profile())
    assert "layer.1 reads out best: 0.767" in chart.alt
    assert "The last, neck: 0.600." in chart.alt
    assert "Lower by more than the noise from neck on." in chart.alt
    assert "Suggested to freeze: up to layer.1." in chart.alt
    assert "500 training examples, with 95% intervals" in chart.caption
    assert "what is right of it trains" in chart.caption
    assert "No cut is suggested." in profile_chart(nothing_found()).caption
