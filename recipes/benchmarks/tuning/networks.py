"""Real networks, made offline from two packaged checkpoints; the same every time."""

from __future__ import annotations

import shutil
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import torch
from transformers import (
    ResNetConfig,
    ResNetForImageClassification,
    ViTImageProcessor,
    set_seed,
)

from hf_transfer_plugin.checkpoints import Checkpoint, without_bars
from hf_transfer_plugin.data import TargetData, prepare
from hf_transfer_plugin.layers import layer_groups
from tuning.source import KINDS, Source
from tuning.training import fit, in_memory

__all__ = ["make"]

_SAMPLES = {"minilm": "sample:minilm", "efficientnet": "sample:efficientnet-lite0"}
_SEED = 1  # not that of the random weights which a ranking compares with
_RATE = 3e-4
_EPOCHS = {"minilm": 2, "efficientnet": 2, "resnet": 8}


def make(source: Source, folder: Path, image_size: int, data: TargetData | None) -> None:
    """Write a network as a plain transformers folder without a head.

    Args:
        source: how it is made.
        folder: where it will lie; it appears when it is whole.
        image_size: pixels of a side.
        data: what it is trained on; None for nothing.
    """
    unfinished = folder.with_name(f"{folder.name}.tmp")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    set_seed(_SEED)
    _untrained(source, image_size, unfinished)
    if data is not None:
        _train(source, data, unfinished)
    unfinished.rename(folder)


def _untrained(source: Source, image_size: int, folder: Path) -> None:
    """Write the network before any training on a source, with its tokenizer or processor."""
    if source.network == "resnet":
        config = ResNetConfig(
            embedding_size=16, hidden_sizes=[16, 32, 64, 128], depths=[1] * 4, layer_type="basic"
        )
        _save(ResNetForImageClassification(config), folder)
        side = {"height": image_size, "width": image_size}
        half = [0.5] * 3
        ViTImageProcessor(size=side, image_mean=half, image_std=half).save_pretrained(folder)
        return
    checkpoint = Checkpoint(_SAMPLES[source.network])
    names = ("a", "b")
    size = image_size if source.kind == "images" else None
    model: Any = checkpoint.classifier(KINDS[source.kind], names, image_size=size)
    if source.layers is not None:
        model.bert.encoder.layer = model.bert.encoder.layer[: source.layers]
        model.config.num_hidden_layers = source.layers
    if source.shuffled:
        layers = model.bert.encoder.layer
        order = torch.randperm(len(layers)).tolist()
        model.bert.encoder.layer = torch.nn.ModuleList(layers[place] for place in order)
    if source.reset:
        fresh = checkpoint.classifier(KINDS[source.kind], names, weights="random", image_size=size)
        _redraw(model, fresh, source.reset)
    _save(model, folder)
    if source.kind == "text":
        checkpoint.tokenizer().save_pretrained(folder)


def _redraw(model: Any, fresh: Any, groups: tuple[str, ...]) -> None:
    """Copy weights and statistics of some layer groups from a network with random weights."""
    parts = [each for each in layer_groups(model) if any(fnmatch(each.name, g) for g in groups)]
    owned = {name.rpartition(".")[0] for group in parts for name in group.parameter_names}
    drawn = fresh.state_dict()
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if name.rpartition(".")[0] in owned:
                tensor.copy_(drawn[name])


def _train(source: Source, data: TargetData, folder: Path) -> None:
    checkpoint = Checkpoint(str(folder))
    prepared = prepare(checkpoint, data, ("train",))
    rows = in_memory(prepared, "train")
    set_seed(_SEED)
    model = checkpoint.classifier(data.task, data.class_names, image_size=data.spec.image_size)
    fit(model, rows, prepared.collate, _EPOCHS[source.network], _RATE, seed=_SEED)
    _save(model, folder)


def _save(model: Any, folder: Path) -> None:
    """Write a network without its head, so that every fine-tuning draws its own."""
    model.to("cpu", memory_format=torch.contiguous_format)
    head = {
        name
        for group in layer_groups(model)
        if group.name == "head"
        for name in group.parameter_names
    }
    kept = {name: value for name, value in model.state_dict().items() if name not in head}
    with without_bars():
        model.save_pretrained(folder, state_dict=kept)
