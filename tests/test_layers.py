"""Layer groups: cover, order, names and freezing of every architecture."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from typing import Any

import pytest
import torch
import transformers as tf
from torch import nn

from hf_transfer_plugin.layers import LayerGroups, layer_groups
from tests.layer_cases import CASES, Case, assert_covers, bert, gpt2, resnet

NOISY = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd)


@pytest.fixture(params=CASES.values(), ids=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


def calls(model: nn.Module, groups: LayerGroups, batch: dict[str, Any]) -> list[str]:
    """Run the model; return the group of each module with parameters, in order of calls."""
    tied = {name for owner, names in groups.tied for name in (owner, *names)}
    seen: list[str] = []

    def note(group: str, is_tied: bool) -> None:
        # Shared weights run again near the output; what counts is where they run first.
        if (not is_tied or group not in seen) and seen[-1:] != [group]:
            seen.append(group)

    for path, module in list(model.named_modules())[1:]:
        own = [f"{path}.{name}" for name, _ in module.named_parameters(recurse=False)]
        for name in own:
            group = groups.of_parameter(name).name
            module.register_forward_pre_hook(
                lambda *_, group=group, is_tied=name in tied: note(group, is_tied)
            )
    with torch.no_grad():
        model.eval()(**batch)
    return seen


def test_the_table_is_whole() -> None:
    assert len(CASES) == 34
    assert len(RUNNABLE) == 26


def test_every_parameter_lies_in_one_group(case: Case) -> None:
    model = case.build()
    assert_covers(model, layer_groups(model))


def test_names(case: Case) -> None:
    names = layer_groups(case.build()).names
    pattern = re.escape(case.names).replace(re.escape("..."), ".*").replace(r"\ ", " ")
    assert re.fullmatch(pattern, " ".join(names)), names
    assert len(names) == case.count


RUNNABLE = [name for name, case in CASES.items() if case.inputs in ("text", "image", "pair")]


@pytest.mark.parametrize("name", RUNNABLE)
def test_depth_is_the_order_of_calls(name: str) -> None:
    case, model = CASES[name], CASES[name].build()
    groups = layer_groups(model)
    seen = calls(model, groups, case.batch())
    assert tuple(dict.fromkeys(seen)) == groups.names
    if case.contiguous:
        assert len(seen) == len(groups)


def test_depth_is_the_order_of_calls_in_each_tower() -> None:
    model = CASES["clip"].build()
    groups = layer_groups(model)
    seen = calls(model, groups, CASES["clip"].batch())
    for tower in ("text_model", "vision_model"):
        inside = tuple(name for name in groups.names if name.startswith(tower))
        assert tuple(name for name in seen if name.startswith(tower)) == inside
    assert seen[-1] == "head"


def test_eval_of_a_group_touches_that_group_only(case: Case) -> None:
    model = case.build()
    groups = layer_groups(model)
    owner: dict[str, str] = {}
    for group in groups:
        model.train()
        for name in group.module_names:
            model.get_submodule(name).eval()
        for path, module in model.named_modules():
            if not module.training:
                assert path not in owner, f"{path} lies in {owner.get(path)} and {group.name}"
                owner[path] = group.name
        weights = {
            groups.of_parameter(f"{path}.{name}").name
            for path, module in model.named_modules()
            if not module.training
            for name, _ in module.named_parameters(recurse=False)
        }
        assert weights <= {group.name}
    noisy = {path: module for path, module in model.named_modules() if isinstance(module, NOISY)}
    for path, module in noisy.items():
        assert path in owner, f"{path} lies in no group"
        for name, _ in module.named_parameters(recurse=False):
            assert groups.of_parameter(f"{path}.{name}").name == owner[path]


def test_statistics_of_frozen_groups_stand_still() -> None:
    model = tf.ResNetForImageClassification(resnet()).train()
    groups = layer_groups(model)
    frozen = ("stem", "stages.0.layers.0")
    before = {name: value.clone() for name, value in model.named_buffers()}
    for name in frozen:
        for module in groups[name].module_names:
            model.get_submodule(module).eval()
    model(**CASES["resnet"].batch())
    for name, value in model.named_buffers():
        weight = f"{name.rpartition('.')[0]}.weight"
        assert torch.equal(value, before[name]) == (groups.of_parameter(weight).name in frozen)


def test_own_model_around_a_backbone() -> None:
    class Classifier(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = tf.BertModel(bert())
            self.temperature = nn.Parameter(torch.ones(()))
            self.output = nn.Linear(16, 3)

    groups = layer_groups(Classifier())
    assert groups.names == ("embeddings", "layer.0", "layer.1", "neck", "head")
    assert set(groups["head"].parameter_names) == {"temperature", "output.weight", "output.bias"}


def test_plain_torch_networks() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4, 2))
    assert layer_groups(network).names == ("0", "head")
    assert layer_groups(nn.Linear(2, 2)).names == ("head",)


def test_tied_weights_belong_to_the_input() -> None:
    groups = layer_groups(tf.GPT2LMHeadModel(gpt2()))
    assert groups.tied == (("transformer.wte.weight", ("lm_head.weight",)),)
    assert groups.of_parameter("lm_head.weight").name == "embeddings"
    assert groups.head is None
    assert all("lm_head" not in name for group in groups for name in group.module_names)


def test_freezing_a_head_with_a_tied_weight_leaves_the_embedding() -> None:
    model = tf.BertForMaskedLM(bert())
    groups = layer_groups(model)
    owners = [owner for owner, _ in groups.tied]
    assert owners == ["bert.embeddings.word_embeddings.weight", "cls.predictions.bias"]
    for name in groups["head"].parameter_names:
        model.get_parameter(name).requires_grad_(False)
    assert model.bert.embeddings.word_embeddings.weight.requires_grad
    assert not model.cls.predictions.transform.dense.weight.requires_grad


def test_a_tensor_registered_first_in_the_head_still_belongs_to_the_input() -> None:
    class Reversed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_parameter("output", nn.Parameter(torch.zeros(50, 16)))
            self.model = tf.BertModel(bert())
            self.model.embeddings.word_embeddings.weight = self.output
            self.classifier = nn.Linear(16, 2)

    groups = layer_groups(Reversed())
    assert "output" in groups["embeddings"].parameter_names
    assert groups.tied == (("output", ("model.embeddings.word_embeddings.weight",)),)


def test_deberta_embeddings_hold_what_every_layer_reads() -> None:
    groups = layer_groups(CASES["deberta-v2"].build())
    assert groups.of_parameter("deberta.encoder.rel_embeddings.weight").name == "embeddings"
    assert groups.of_parameter("deberta.encoder.LayerNorm.weight").name == "embeddings"


def test_downsampling_goes_with_the_block_it_touches() -> None:
    convnext = layer_groups(CASES["convnext"].build())
    opens = "convnext.encoder.stages.2.downsampling_layer.1.weight"
    assert convnext.of_parameter(opens).name == "stages.2.layers.0"
    swin = layer_groups(CASES["swin"].build())
    closes = "swin.encoder.layers.0.downsample.reduction.weight"
    assert swin.of_parameter(closes).name == "layers.0.blocks.0"


def test_groups_are_an_immutable_sequence() -> None:
    groups = layer_groups(CASES["bert"].build())
    assert len(groups) == len(list(groups)) == len(groups.names) == 5
    assert groups[0] is groups["embeddings"] and groups[-1] is groups.head
    assert "layer.1" in groups and "layer.2" not in groups and groups[1] in groups
    assert [group.name for group in groups if group.is_block] == ["layer.0", "layer.1"]
    assert repr(groups).splitlines()[:2] == ["LayerGroups(5)", "    0  embeddings  5 parameters"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        groups[0].name = "other"  # type: ignore[misc]


def test_importing_layers_imports_no_torch() -> None:
    code = "import sys, hf_transfer_plugin.layers; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
