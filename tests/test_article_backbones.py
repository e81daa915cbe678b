"""The backbones of the article, each by the name that a config gives it, without its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from timm import list_pretrained
from transformers import AutoModelForImageClassification, TimmWrapperConfig, TrainingArguments

from hf_transfer_plugin import FreezingSchedule, explain, layer_groups

CONFIGS = Path(__file__).parents[1] / "recipes" / "configs"
# Config line -> the first of the groups that `top:6` trains: blocks 4 and 5 of VGG-16.
BACKBONES = {
    "timm/vgg16.tv_in1k": "features.17",
    "timm/vgg19.tv_in1k": "features.23",
    "timm/inception_v3.tv_in1k": "Mixed_6c",
    "timm/legacy_xception.tf_in1k": "block7",
    "timm/resnet50.a1_in1k": "layer3.3",
}


@pytest.mark.parametrize("name", BACKBONES)
def test_schedules_fit_the_backbones_of_the_article(name: str, tmp_path: Path) -> None:
    short = name.removeprefix("timm/")
    assert short in list_pretrained()
    config = TimmWrapperConfig(architecture=short.split(".")[0], num_labels=2, pretrained_cfg={})
    with torch.device("meta"):
        model: Any = AutoModelForImageClassification.from_config(config)
    groups = layer_groups(model)
    counted = sum(len(group.parameter_names) for group in groups)
    assert counted == len(list(model.named_parameters()))
    args = TrainingArguments(str(tmp_path), max_steps=100, use_cpu=True)
    frozen = yaml.safe_load((CONFIGS / "cats_vs_dogs" / "d.yaml").read_text())["schedule"]
    head = explain(model, FreezingSchedule.from_config(frozen), args)
    assert head.phases[0].groups == ("head",)
    thawed = explain(model, FreezingSchedule.top_layers(6), args)
    assert thawed.phases[0].groups[0] == BACKBONES[name]
    assert thawed.phases[0].groups[-1] == "head"
