"""Layer groups of models inside PEFT, DistributedDataParallel and torch.compile."""

from __future__ import annotations

import re
from collections.abc import Iterator

import peft
import pytest
import torch
from torch import nn

from hf_transfer_plugin.layers import layer_groups
from tests.layer_cases import CASES, assert_covers

LORA = {
    "bert": peft.LoraConfig(task_type="SEQ_CLS", target_modules=["query", "value"], r=2),
    "vit": peft.LoraConfig(
        target_modules=["q_proj", "projection"], modules_to_save=["classifier"], r=2
    ),
    # Rank 2 makes a convolution look like a block of three matrices.
    "resnet": peft.LoraConfig(target_modules=["convolution"], modules_to_save=["classifier"], r=2),
    "gpt2-lm": peft.LoraConfig(target_modules=["c_attn", "wte"], r=2, fan_in_fan_out=True),
}


def lora(name: str) -> peft.PeftModel:
    return peft.get_peft_model(CASES[name].build(), LORA[name])


@pytest.mark.parametrize("name", LORA)
def test_lora_keeps_the_names_of_the_base_model(name: str) -> None:
    model = lora(name)
    groups = layer_groups(model)
    assert_covers(model, groups)
    assert groups.names == layer_groups(CASES[name].build()).names
    added = [n for n, _ in model.named_parameters() if "lora_" in n or "modules_to_save" in n]
    assert added
    for parameter in added:
        group = groups.of_parameter(parameter)
        base = re.sub(r"\.(lora_|modules_to_save).*", "", parameter)
        neighbours = [n for n in group.parameter_names if n.startswith(f"{base}.")]
        assert len(neighbours) > 1
        assert group.name == "head" if "modules_to_save" in parameter else group.name != "head"


def test_lora_weights_of_a_layer_lie_in_that_layer() -> None:
    groups = layer_groups(lora("bert"))
    path = "base_model.model.bert.encoder.layer.1"
    assert f"{path}.attention.self.query.lora_A.default.weight" in groups["layer.1"].parameter_names
    assert groups["layer.1"].module_names == (path,)


def test_soft_prompts_feed_the_input() -> None:
    config = peft.PromptTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=4)
    model = peft.get_peft_model(CASES["bert"].build(), config)
    groups = layer_groups(model)
    assert_covers(model, groups)
    assert groups.of_parameter("prompt_encoder.default.embedding.weight").depth == 0


@pytest.fixture
def process_group() -> Iterator[None]:
    torch.distributed.init_process_group(
        "gloo", store=torch.distributed.HashStore(), rank=0, world_size=1
    )
    yield
    torch.distributed.destroy_process_group()


def test_ddp_and_compile_keep_the_group_names(process_group: None) -> None:
    plain = layer_groups(CASES["bert"].build())
    parallel = nn.parallel.DistributedDataParallel(lora("bert"))
    for model in (torch.compile(CASES["bert"].build()), parallel, torch.compile(parallel)):
        groups = layer_groups(model)
        assert_covers(model, groups)
        assert groups.names == plain.names
    assert groups["layer.0"].module_names == (
        "_orig_mod.module.base_model.model.bert.encoder.layer.0",
    )
