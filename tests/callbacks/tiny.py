"""Tiny random models and runs for the tests of callbacks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    ResNetConfig,
    ResNetForImageClassification,
    TimmWrapperConfig,
    TimmWrapperForImageClassification,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    ViTConfig,
    ViTForImageClassification,
)

from hf_transfer_plugin.layers import layer_groups

STEPS = 8
#: What this version of transformers calls it.
CHECKPOINTING = (
    "activation_checkpointing"
    if "activation_checkpointing" in TrainingArguments.__dataclass_fields__
    else "gradient_checkpointing"
)


def bert_config() -> BertConfig:
    return BertConfig(
        vocab_size=40,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=8,
        num_labels=2,
    )


def bert() -> nn.Module:
    torch.manual_seed(0)
    return BertForSequenceClassification(bert_config())


def masked_bert() -> nn.Module:
    """Return a model whose head shares a weight with the embeddings."""
    torch.manual_seed(0)
    return BertForMaskedLM(bert_config())


def resnet() -> nn.Module:
    config = ResNetConfig(
        num_channels=3,
        embedding_size=4,
        hidden_sizes=[4, 8],
        depths=[1, 1],
        layer_type="basic",
        num_labels=2,
    )
    torch.manual_seed(0)
    return ResNetForImageClassification(config)


def vit() -> nn.Module:
    config = ViTConfig(
        image_size=32,
        patch_size=16,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        hidden_dropout_prob=0.1,
        num_labels=2,
    )
    torch.manual_seed(0)
    return ViTForImageClassification(config)


def efficientnet() -> nn.Module:
    """Return a small EfficientNet of timm with stochastic depth."""
    torch.manual_seed(0)
    config = TimmWrapperConfig(
        architecture="test_efficientnet",
        model_args={"drop_path_rate": 0.2},
        num_labels=2,
        pretrained_cfg={"input_size": [3, 32, 32]},
    )
    return TimmWrapperForImageClassification(config)


def lora() -> nn.Module:
    from peft import LoraConfig, TaskType, get_peft_model

    config = LoraConfig(task_type=TaskType.SEQ_CLS, r=2, target_modules=["query", "value"])
    return get_peft_model(bert(), config)


MODELS: dict[str, Callable[[], nn.Module]] = {"bert": bert, "resnet": resnet, "lora": lora}


def examples(model: nn.Module) -> list[dict[str, Any]]:
    """Return 16 random labelled examples that the model takes."""
    generator = torch.Generator().manual_seed(0)
    labels = [i % 2 for i in range(16)]
    if getattr(model, "main_input_name", "") == "pixel_values":
        pixels = torch.randn(16, 3, 32, 32, generator=generator)
        return [{"pixel_values": x, "labels": y} for x, y in zip(pixels, labels, strict=True)]
    tokens = torch.randint(1, 40, (16, 8), generator=generator)
    if isinstance(model, BertForMaskedLM):
        return [{"input_ids": x, "labels": x} for x in tokens]
    return [{"input_ids": x, "labels": y} for x, y in zip(tokens, labels, strict=True)]


def trainer(
    model: nn.Module,
    folder: Path,
    *callbacks: TrainerCallback,
    optimizers: tuple[Any, Any] = (None, None),
    **arguments: Any,
) -> Trainer:
    """Return an unmodified Trainer on CPU: STEPS steps, weight decay, a linear schedule."""
    defaults: dict[str, Any] = {
        "max_steps": STEPS,
        "per_device_train_batch_size": 4,
        "learning_rate": 1e-2,
        "weight_decay": 0.1,
        "logging_steps": 1,
        "save_strategy": "no",
        "use_cpu": True,
        "disable_tqdm": True,
        "report_to": [],
    }
    data = examples(model)
    return Trainer(
        model=model,
        args=TrainingArguments(output_dir=str(folder), **(defaults | arguments)),
        train_dataset=data,
        eval_dataset=data,
        callbacks=list(callbacks),
        optimizers=optimizers,
    )


def tensors(model: nn.Module) -> dict[str, torch.Tensor]:
    """Return copies of all weights and buffers, under every name of tied ones."""
    named = [*model.named_parameters(remove_duplicate=False), *model.named_buffers()]
    return {name: tensor.detach().clone() for name, tensor in named}


def changed(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> set[str]:
    """Return the names of the tensors that differ in any bit."""
    return {name for name in before if not torch.equal(before[name], after[name])}


class Recorder(TrainerCallback):
    """Keeps weights and buffers before the first and after each step."""

    def __init__(self) -> None:
        self.history: list[dict[str, torch.Tensor]] = []

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if not self.history:
            self.history.append(tensors(kwargs["model"]))

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.history.append(tensors(kwargs["model"]))

    def moved(self) -> Sequence[set[str]]:
        """Return what each step changed."""
        return [changed(a, b) for a, b in zip(self.history, self.history[1:], strict=False)]


def group_tensors(model: nn.Module) -> dict[str, set[str]]:
    """Return group name -> names of its parameters and buffers."""
    buffers = dict(model.named_buffers())
    return {
        group.name: set(group.parameter_names)
        | {b for b in buffers for m in group.module_names if b.startswith(f"{m}.")}
        for group in layer_groups(model)
    }


def flags(model: nn.Module) -> dict[str, bool]:
    return {name: p.requires_grad for name, p in model.named_parameters(remove_duplicate=False)}


def assert_untouched(model: nn.Module, before: dict[str, bool]) -> None:
    assert flags(model) == before
    assert not any("train" in vars(module) for module in model.modules())


def freeze(model: nn.Module, name: str) -> None:
    model.get_submodule(name).requires_grad_(False)
