from __future__ import annotations

import pytest

from hf_transfer_plugin.records import Choice, Phase
from hf_transfer_plugin.report.words import schedule_words

# name -> (phases, what their words say)
SCHEDULES: dict[str, tuple[tuple[Phase, ...], list[str]]] = {
    "fraction": (
        (Phase(("head",), until_fraction=0.3, name="probe"), Phase(("*",), rate=0.1)),
        ["From the first step until 30% of training (probe): the head, at the full", "Then to the"],
    ),
    "epoch": (
        (Phase(("head",), until_epoch=2), Phase(("bottom:1",), rates={"head": 0.1})),
        ["until epoch 2: the head", "the input and the first layer", "the head at 0.1 times"],
    ),
    "plateau": (
        (Phase(("head",), until_plateau=2), Phase(("*",))),
        ["until 2 evaluations without improvement: the head"],
    ),
    "plateau with an end": (
        (Phase(("head",), until_plateau=1, until_step=60), Phase(("*",))),
        ["until 1 evaluation without improvement, at the latest until step 60"],
    ),
    "rates": (
        (Phase(("*",), decay=0.5, curve="slanted_triangular", warmup=0.25),),
        ["times 0.5 for each layer down, in a slanted triangular curve of its own with 25%"],
    ),
    "random": (
        (Phase(("bottom:0", "top:0"), choose=Choice("random", 2, every=5, seed=0)),),
        ["the input and the head and 2 random layers, drawn anew every 5 steps"],
    ),
    "matrices": (
        (Phase(("top:0",), choose=Choice("signal_to_noise", share=0.25)),),
        ["the head and the best 25% of the matrices"],
    ),
    "settled": (
        (Phase(("*",), choose=Choice("settled_gradient", percentile=50, every=5)),),
        ["all layers, fewer as gradients settle"],
    ),
    "relative": (
        (Phase(("*",), choose=Choice("relative_gradient", every=1)),),
        ["all layers, each layer by its relative gradient"],
    ),
    "adapters": (
        (Phase(("*",), until_fraction=0.5), Phase(("*", "base:top:1"), rates={"base:*": 0.1})),
        ["the head and the last layer under adapters"],
    ),
}


def test_the_table_is_whole() -> None:
    assert len(SCHEDULES) == 10


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_in_words(name: str) -> None:
    schedule, words = SCHEDULES[name]
    sentences = schedule_words(schedule)
    assert len(sentences) == len(schedule)
    assert all(each in " ".join(sentences) for each in words), sentences
