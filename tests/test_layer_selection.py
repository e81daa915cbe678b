"""Choosing layer groups by selectors, and the texts of the errors."""

from __future__ import annotations

import re

import pytest
import transformers as tf
from torch import nn

from hf_transfer_plugin.errors import ScheduleError
from hf_transfer_plugin.layers import LayerGroup, LayerGroups, layer_groups, select_groups
from tests.layer_cases import gpt2, resnet, t5

GROUPS = LayerGroups(
    tuple(
        LayerGroup(name, depth, (f"{name}.weight",), (name,))
        for depth, name in enumerate(
            ("embeddings", *(f"layer.{number}" for number in range(12)), "neck", "head")
        )
    )
)


@pytest.mark.parametrize(
    ("selectors", "expected"),
    [
        (["head"], "head"),
        (["head", "embeddings", "head"], "embeddings head"),
        (["layer.1*"], "layer.1 layer.10 layer.11"),
        (["layer.[23]", "layer.2"], "layer.2 layer.3"),
        (["top:0"], "neck head"),
        (["top:2"], "layer.10 layer.11 neck head"),
        (["embeddings", "top:1"], "embeddings layer.11 neck head"),
        (["top:12"], " ".join(GROUPS.names[1:])),
        (["*"], " ".join(GROUPS.names)),
        ([], ""),
    ],
)
def test_select_groups(selectors: list[str], expected: str) -> None:
    assert select_groups(GROUPS, selectors) == tuple(expected.split())


def test_top_counts_back_through_the_towers() -> None:
    groups = layer_groups(tf.T5ForConditionalGeneration(t5()))
    assert select_groups(groups, ["top:1"]) == ("decoder.block.1", "decoder.neck")
    assert select_groups(groups, ["top:3"]) == groups.names[2:]


@pytest.mark.parametrize("selector", ["top:13", "top:-1", "top:two", "top:", "top:1.5"])
def test_top_needs_a_number_of_blocks(selector: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        select_groups(GROUPS, [selector])
    assert f"{selector!r}, and the model has 12 blocks" in str(caught.value)
    assert "from 0 to 12" in str(caught.value)


def test_a_selector_without_a_match_names_the_groups() -> None:
    with pytest.raises(ScheduleError) as caught:
        select_groups(GROUPS, ["head", "layers.3"])
    text = str(caught.value)
    assert "no layer group matches 'layers.3'; did you mean 'layer.3'?" in text
    assert ", ".join(GROUPS.names) in text
    with pytest.raises(ScheduleError, match=r"matches 'Head'; did you mean 'head'\?"):
        select_groups(GROUPS, ["Head"])


def test_top_of_nothing_is_an_error() -> None:
    groups = layer_groups(tf.ResNetModel(resnet()))
    with pytest.raises(ScheduleError, match="no layer group matches 'top:0'"):
        select_groups(groups, ["top:0"])


def test_a_single_text_is_no_list_of_selectors() -> None:
    with pytest.raises(ScheduleError, match=re.escape("write ['head']")):
        select_groups(GROUPS, "head")


def test_selecting_a_tied_head_says_why_there_is_none() -> None:
    groups = layer_groups(tf.GPT2LMHeadModel(gpt2()))
    with pytest.raises(ScheduleError, match=r"is tied \(transformer.wte.weight\) has no group"):
        select_groups(groups, ["head"])


def test_unknown_names_are_errors() -> None:
    with pytest.raises(ScheduleError, match=r"matches 'layer.12'; did you mean"):
        GROUPS["layer.12"]
    with pytest.raises(ScheduleError, match=r"no parameter is called 'hea.weight'; did you mean"):
        GROUPS.of_parameter("hea.weight")


def test_what_is_no_model_is_an_error() -> None:
    with pytest.raises(ScheduleError, match=r"got a str: 'bert-base'\n  expected: a torch.nn.Modu"):
        layer_groups("bert-base")  # type: ignore[arg-type]
    with pytest.raises(ScheduleError, match="ReLU has no parameters"):
        layer_groups(nn.ReLU())
