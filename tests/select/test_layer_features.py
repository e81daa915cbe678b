"""The output of every layer group, pooled in the pass that gives the features of a ranking."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers as tf
from torch import nn

from hf_transfer_plugin.checkpoints import Checkpoint
from hf_transfer_plugin.data import TargetData, load_data, prepare
from hf_transfer_plugin.layers import ROLES, layer_groups
from hf_transfer_plugin.records import DataSpec
from hf_transfer_plugin.select.features import LayerFeatures, layer_features
from hf_transfer_plugin.select.layer_reading import LayerReader, pooled
from tests.layer_cases import CASES, STAGES, TEXT
from tests.tiny_runs import (
    image_checkpoint,
    offline_cache,
    text_checkpoint,
    write_images,
    write_text_folder,
)

# Base network -> the group whose output is the last of its hidden states.
HIDDEN = {
    "bert": "layer.1",
    "roberta": "layer.1",
    "distilbert": "layer.1",
    "deberta-v2": "layer.1",
    "modernbert": "neck",
    "gpt2": "neck",
    "llama": "neck",
    "opt": "neck",
    "t5-encoder": "neck",
    "vit-bare": "layers.1",
    "dinov2": "layer.1",
}


def _read(model: nn.Module, batch: dict[str, Any], mask: torch.Tensor | None) -> dict[str, Any]:
    with torch.inference_mode(), LayerReader(model).reading(2, mask) as found:
        model(**batch)
    return found


def _text_mask(batch: dict[str, torch.Tensor]) -> torch.Tensor:
    mask = torch.ones_like(batch["input_ids"])
    mask[1, 5:] = 0
    return mask


def test_the_tables_are_whole() -> None:
    assert len(HIDDEN) == 11
    assert len(WIDTHS) == 23 and len(SHAPES) == 12


@pytest.mark.parametrize("name", HIDDEN)
def test_layers_are_the_hidden_states(name: str) -> None:
    """What transformers itself calls hidden states, taken without knowing the architecture."""
    torch.manual_seed(0)
    case = CASES[name]
    model = case.build()
    model = getattr(model, model.base_model_prefix, model).eval()  # type: ignore[arg-type]
    batch = case.batch()
    mask = None
    if case.inputs == "text":
        mask = batch["attention_mask"] = _text_mask(batch)
    found = _read(model, batch, mask)
    with torch.inference_mode():
        states = model(**batch, output_hidden_states=True).hidden_states
    if mask is None:
        expected = [state.mean(1) for state in states]
    else:
        weights = mask[:, :, None].float()
        expected = [(state * weights).sum(1) / weights.sum(1) for state in states]
    names = LayerReader(model).groups
    blocks = [each for each in names if each.rpartition(".")[2] not in ROLES]
    assert len(states) == 3 and len(blocks) == 2
    pairs = {"embeddings": 0, blocks[0]: 1, HIDDEN[name]: 2}
    if name == "deberta-v2":
        del pairs[blocks[0]]  # a convolution between the layers has its part in this hidden state
    for group, place in pairs.items():
        torch.testing.assert_close(found[group], expected[place], msg=f"{name} {group}")


# Architecture -> width of each layer group.
BLOCKS = [16, 16]
WIDTHS = {
    **{name: [16, *BLOCKS, 16, 3] for name in ("bert", "modernbert", "gpt2", "llama", "opt")},
    **{name: [16, *BLOCKS, 16, 3] for name in ("vit", "dinov2", "clip-image")},
    **{name: [16, *BLOCKS, 3] for name in ("roberta", "distilbert", "deberta-v2")},
    **{name: [16, *BLOCKS, 16] for name in ("bert-bare", "vit-bare", "gpt2-lm", "t5-encoder")},
    "bert-1": [16, 16, 16, 3],
    "bert-lm": [16, *BLOCKS, 16],
    "swin": [8, 16, 16, 16, 16, 3],
    "convnext": [8, 8, 8, 16, 16, 16, 16, 3],
    "resnet": [4, 8, 8, 16, 16, 16, 3],
    "resnet-bare": [4, 8, 8, 16, 16, 16],
    "mobilenet-v2": [8] * 6 + [16] * 4 + [24] * 3 + [40] * 3 + [80, 1280, 3],
    "efficientnet": [8, 8, 8, 16, 24, 24, 32, 32, 48, 48, 80, 320, 3],
}


@pytest.mark.parametrize("name", WIDTHS)
def test_every_group_of_every_architecture_is_read(name: str) -> None:
    case = CASES[name]
    model = case.build().eval()
    batch = case.batch()
    if case.inputs == "text":
        batch["attention_mask"] = _text_mask(batch)
    found = _read(model, batch, batch.get("attention_mask"))
    groups = LayerReader(model).groups
    assert {group: found[group].shape for group in groups} == {
        group: (2, width) for group, width in zip(groups, WIDTHS[name], strict=True)
    }
    assert all(torch.isfinite(value).all() for value in found.values())
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in model.modules())


def _ramp(*shape: int) -> torch.Tensor:
    return torch.arange(float(np.prod(shape))).reshape(shape)


# name -> (what a module gives, whether they are texts, what is kept)
SHAPES: dict[str, tuple[Any, bool, torch.Tensor | None]] = {
    "vectors": (_ramp(2, 5), False, _ramp(2, 5)),
    "tokens": (_ramp(2, 3, 5), False, _ramp(2, 3, 5).mean(1)),
    "channels first": (_ramp(2, 5, 4, 4), False, _ramp(2, 5, 4, 4).mean((2, 3))),
    "channels last": (_ramp(2, 4, 4, 5), False, _ramp(2, 4, 4, 5).mean((1, 2))),
    "wide image, channels by weights": (_ramp(2, 3, 4, 6), False, _ramp(2, 3, 4, 6).mean((1, 2))),
    "pooled with an empty side": (_ramp(2, 5, 1), False, _ramp(2, 5)),
    "inside a tuple": ((torch.ones(2, dtype=torch.long), _ramp(2, 5)), False, _ramp(2, 5)),
    "half precision": (_ramp(2, 5).half(), False, _ramp(2, 5)),
    "masked": (_ramp(2, 3, 5), True, torch.stack([_ramp(3, 5).mean(0), _ramp(2, 3, 5)[1, 0]])),
    "positions that all rows share": (_ramp(1, 3, 5), True, None),
    "numbers of tokens": (torch.ones(2, 3, dtype=torch.long), True, None),
    "maps of attention": (_ramp(2, 2, 3, 3), True, None),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_pooling(name: str) -> None:
    value, texts, expected = SHAPES[name]
    mask = torch.tensor([[1, 1, 1], [1, 0, 0]]) if texts else None
    found = pooled(value, 2, mask, nn.LayerNorm(6))
    if expected is None:
        assert found is None
    else:
        assert found is not None and found.dtype == torch.float32
        torch.testing.assert_close(found, expected)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    offline_cache(monkeypatch, tmp_path)
    monkeypatch.setenv("HF_TL_CACHE", str(tmp_path / "cache"))
    return tmp_path


def _features(name: Path, data: TargetData, rows: int) -> LayerFeatures:
    checkpoint = Checkpoint(str(name))
    return layer_features(checkpoint, data, prepare(checkpoint, data, ("train",)), range(rows))


def test_texts_of_a_checkpoint(folder: Path) -> None:
    data = load_data(DataSpec(str(write_text_folder(folder / "texts"))), "text-classification")
    found = _features(text_checkpoint(folder / "bert"), data, 33)  # the last batch is one row
    assert found.groups == tuple(found.layers) and found.groups[0] == "embeddings"
    blocks = [name for name in found.groups if name != "neck"]
    np.testing.assert_allclose(
        found.mean, np.mean([found.layers[name] for name in blocks], 0), atol=1e-6
    )
    fewer = _features(folder / "bert", data, 32)
    np.testing.assert_allclose(fewer.mean, found.mean[:32], atol=1e-6)
    assert found.parameters > 0 and found.seconds > 0
    assert not np.allclose(found.layers["embeddings"][32], found.layers["embeddings"][31])


def test_images_of_a_checkpoint(folder: Path) -> None:
    data = load_data(DataSpec(str(write_images(folder / "images", 12))), "image-classification")
    found = _features(image_checkpoint(folder / "resnet"), data, 12)
    assert found.groups == tuple(found.layers) and found.groups[0] == "stem"
    assert np.array_equal(found.mean, found.layers[found.groups[-1]])
    assert len({value.shape[1] for value in found.layers.values()}) > 1


def test_what_ends_a_backbone_is_its_neck(folder: Path) -> None:
    data = load_data(DataSpec(str(write_images(folder / "images", 12))), "image-classification")
    shutil.copytree(image_checkpoint(folder / "resnet"), folder / "convnext")
    config = tf.ConvNextConfig(**STAGES, num_labels=2)
    tf.ConvNextForImageClassification(config).save_pretrained(folder / "convnext")
    found = _features(folder / "convnext", data, 5)
    whole = layer_groups(tf.ConvNextForImageClassification(config)).names
    assert found.groups == tuple(found.layers) == whole[:-1]
    assert whole[-2:] == ("neck", "head")


def test_a_pooler_that_the_classifier_lacks_is_not_read(folder: Path) -> None:
    """Nobody trained it: RoBERTa's is in no weight file, and no classifier has it."""
    data = load_data(DataSpec(str(write_text_folder(folder / "texts"))), "text-classification")
    bert = text_checkpoint(folder / "bert")
    shutil.copytree(bert, folder / "roberta")
    config = tf.RobertaConfig(**{**TEXT, "vocab_size": 200, "max_position_embeddings": 140})
    tf.RobertaForSequenceClassification(config).save_pretrained(folder / "roberta")
    found = _features(folder / "roberta", data, 10)
    assert "neck" in found.groups
    assert list(found.layers) == ["embeddings", "layer.0", "layer.1"]
    assert "neck" in _features(bert, data, 10).layers  # BERT's classifier has its pooler
