"""Data, models and pairs of runs, with and without the cache, for the tests of the prefix cache."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from torch import nn
from transformers import (
    DataCollatorWithPadding,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    default_data_collator,
)

from hf_transfer_plugin import FreezingCallback, FreezingSchedule, prefix_cache
from hf_transfer_plugin.callbacks.prefix_following import PrefixCache
from tests.callbacks.tiny import efficientnet, tensors
from tests.layer_cases import CASES
from tests.prefix.row_cases import tokenizer

LENGTHS = (9, 4, 7, 6, 5, 8, 3, 4, 5, 6, 7, 2)
ROWS = len(LENGTHS)
_CLASSIFIERS = (
    *("bert", "bert-1", "roberta", "distilbert", "deberta-v2", "modernbert", "gpt2", "llama"),
    *("opt", "vit", "dinov2", "swin", "convnext", "resnet", "mobilenet-v2", "efficientnet"),
    "clip-image",
)


def texts(seed: int = 0, classes: int = 3, lengths: Iterable[int] = LENGTHS) -> Dataset:
    """Return token numbers of different lengths with masks and labels."""
    draw = torch.Generator().manual_seed(seed)
    ids = [torch.randint(5, 40, (length,), generator=draw).tolist() for length in lengths]
    rows = {
        "input_ids": ids,
        "attention_mask": [[1] * len(row) for row in ids],
        "labels": [number % classes for number in range(len(ids))],
    }
    return Dataset.from_dict(rows)


class Images(torch.utils.data.Dataset[dict[str, Any]]):
    """Random images with labels."""

    def __init__(self, seed: int = 0, classes: int = 3, size: int = 32) -> None:
        draw = torch.Generator().manual_seed(seed)
        self.pixels = torch.randn(ROWS, 3, size, size, generator=draw)
        self.classes = classes

    def __len__(self) -> int:
        return ROWS

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"pixel_values": self.pixels[index], "labels": index % self.classes}


def build(name: str) -> nn.Module:
    """Return a classifier of the table, always with the same weights."""
    torch.manual_seed(0)
    model = efficientnet() if name == "timm-efficientnet" else CASES[name].build()
    stir(model)
    config: Any = model.config
    config.pad_token_id = 0
    return model


def stir(model: nn.Module, size: int = 32) -> None:
    """Give each BatchNorm the statistics of random images, and convolutions some strength.

    With what they are born with, the features of all images are one after a few layers.
    """
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(1)
        for part in model.modules():
            if isinstance(part, nn.Conv2d):
                nn.init.kaiming_normal_(part.weight)
        for norm in norms:
            nn.init.ones_(norm.weight)
        model.train()
        model(pixel_values=torch.randn(16, 3, size, size))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


@dataclass
class Recipe:
    """A training run that can be made with and without the cache.

    Attributes:
        model: builds it, with the same weights each time.
        schedule: what trains; None leaves the model as it is.
        kind: "text" or "image".
        arguments: for TrainingArguments.
        callbacks: builds more callbacks.
        classes: number of classes in the data.
        options: for `prefix_cache`.
        several: evaluate on two datasets with names.
    """

    model: Callable[[], nn.Module]
    schedule: Callable[[nn.Module], FreezingSchedule] | None = None
    kind: str = "text"
    arguments: dict[str, Any] = field(default_factory=dict)
    callbacks: Callable[[], list[TrainerCallback]] = list
    classes: int = 3
    options: dict[str, Any] = field(default_factory=dict)
    several: bool = False

    def data(self, seed: int = 0) -> Any:
        """Return rows."""
        return (texts if self.kind == "text" else Images)(seed, self.classes)

    def trainer(self, folder: Path, cached: bool) -> tuple[Trainer, PrefixCache | None]:
        """Return a Trainer, and the handle of its cache."""
        model = self.model()
        freezing = [FreezingCallback(self.schedule(model))] if self.schedule else []
        defaults: dict[str, Any] = {
            **{"num_train_epochs": 2, "per_device_train_batch_size": 4, "learning_rate": 1e-3},
            **{"per_device_eval_batch_size": 5, "logging_steps": 1, "save_strategy": "no"},
            **{"weight_decay": 0.1, "use_cpu": True, "disable_tqdm": True, "report_to": []},
        }
        text = self.kind == "text"
        trainer = Trainer(
            model=model,
            args=TrainingArguments(output_dir=str(folder), **(defaults | self.arguments)),
            train_dataset=self.data(),
            eval_dataset={"a": self.data(1), "b": self.data(3)} if self.several else self.data(1),
            data_collator=DataCollatorWithPadding(tokenizer()) if text else default_data_collator,
            compute_metrics=lambda p: {"spread": float(_logits(p.predictions).std())},
            callbacks=[*freezing, *self.callbacks()],
        )
        options = {"folder": folder.parent / "cache", **self.options}
        return trainer, prefix_cache(trainer, **options) if cached else None


def model_of(trainer: Trainer) -> nn.Module:
    """Return the model of a Trainer."""
    assert isinstance(trainer.model, nn.Module)
    return trainer.model


def _logits(predictions: Any) -> Any:
    if predictions is None:
        return []
    return predictions[0] if isinstance(predictions, tuple) else predictions


class FrozenCalls(TrainerCallback):
    """Keeps which modules compute in training and evaluation.

    Counts what a forward does, not that it is called: skipped units are called all the same.
    Must come after the cache in the list of callbacks.

    Attributes:
        steps: the frozen modules that ran in each training step.
        predictions: in each batch of evaluation, with what came before the first one; frozen are
            those of the last step.
        fills: step -> every module that ran since the step before.
    """

    def __init__(self, model: nn.Module) -> None:
        self.steps: list[set[str]] = []
        self.predictions: list[set[str]] = []
        self.fills: dict[int, set[str]] = {}
        self._modules: dict[str, nn.Module] = {}
        self._frozen: set[str] = set()
        self._ran: set[str] = set()
        for name, module in model.named_modules():
            if next(module.parameters(recurse=False), None) is not None:
                self._modules[name] = module
                module.forward = partial(self._count, name, module.forward)

    def _count(self, name: str, own: Any, *args: Any, **kwargs: Any) -> Any:
        self._ran.add(name)
        return own(*args, **kwargs)

    def _take(self) -> set[str]:
        ran, self._ran = self._ran, set()
        return ran

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.fills[state.global_step] = self._take()
        self._frozen = {
            name
            for name, module in self._modules.items()
            if not any(each.requires_grad for each in module.parameters(recurse=False))
        }

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.steps.append(self._take() & self._frozen)

    def on_prediction_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.predictions.append(self._take() & self._frozen)


@dataclass
class Result:
    """What a run gave."""

    trainer: Trainer
    cache: PrefixCache | None
    weights: dict[str, torch.Tensor]
    losses: list[float]
    metrics: dict[str, float]
    predictions: torch.Tensor
    calls: FrozenCalls


def run(recipe: Recipe, folder: Path, cached: bool) -> Result:
    """Train, evaluate and predict."""
    trainer, cache = recipe.trainer(folder / ("cached" if cached else "plain"), cached)
    calls = FrozenCalls(model_of(trainer))
    trainer.add_callback(calls)
    trainer.train()
    return result_of(trainer, cache, calls, recipe)


def result_of(
    trainer: Trainer, cache: PrefixCache | None, calls: FrozenCalls, recipe: Recipe
) -> Result:
    """Evaluate and predict after training."""
    weights = tensors(model_of(trainer))
    metrics = trainer.evaluate()
    predicted = trainer.predict(recipe.data(2))
    return Result(
        trainer,
        cache,
        weights,
        [each["loss"] for each in trainer.state.log_history if "loss" in each],
        {key: value for key, value in metrics.items() if key.endswith(("_loss", "_spread"))},
        torch.as_tensor(_logits(predicted.predictions)),
        calls,
    )


def both(recipe: Recipe, folder: Path, tolerance: float = 1e-5) -> tuple[Result, Result]:
    """Run with and without the cache; assert that nothing differs."""
    plain, cached = run(recipe, folder, False), run(recipe, folder, True)
    assert_equal(plain, cached, tolerance)
    return plain, cached


def distance(plain: Result, cached: Result) -> float:
    """Return the largest difference of two weights."""
    assert plain.weights.keys() == cached.weights.keys()
    return max(
        float((one.double() - cached.weights[name].double()).abs().max())
        for name, one in plain.weights.items()
        if one.numel()
    )


def assert_equal(plain: Result, cached: Result, tolerance: float = 1e-5) -> None:
    """Assert that weights, losses, metrics and predictions are those without a cache."""
    assert distance(plain, cached) <= tolerance
    assert len(plain.losses) == len(cached.losses) > 0
    near: dict[str, Any] = {"rtol": 0.0, "atol": 10 * tolerance}
    torch.testing.assert_close(torch.tensor(cached.losses), torch.tensor(plain.losses), **near)
    assert cached.metrics.keys() == plain.metrics.keys() != set()
    for name, value in plain.metrics.items():
        assert abs(cached.metrics[name] - value) <= 10 * tolerance, name
    torch.testing.assert_close(cached.predictions, plain.predictions, **near)


CLASSIFIERS: dict[str, str] = {
    **{name: CASES[name].inputs for name in _CLASSIFIERS},
    "timm-efficientnet": "image",
}
