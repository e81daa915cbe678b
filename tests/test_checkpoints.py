"""Checkpoints: found, loaded with a head that fits, saved so that others load the same."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoImageProcessor, AutoTokenizer, ViTConfig, ViTModel

from hf_transfer_plugin.checkpoints import Checkpoint, known_license
from hf_transfer_plugin.errors import CheckpointError
from hf_transfer_plugin.records import Task
from tests.hub_models import sample_image
from tests.tiny_runs import image_checkpoint, text_checkpoint

TIMM = "sample:efficientnet-lite0"
NAMES = ["cat", "dog", "hen"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT and a ResNet with two classes, and a ViT of 32 x 32 pixels."""
    made = tmp_path_factory.mktemp("checkpoints")
    text_checkpoint(made / "bert")
    image_checkpoint(made / "resnet")
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    ViTModel(
        ViTConfig(image_size=32, patch_size=16, intermediate_size=16, **sizes)
    ).save_pretrained(made / "vit")
    shutil.copy(made / "resnet" / "preprocessor_config.json", made / "vit")
    return made


TASKS: dict[str, Task] = {
    "bert": "text-classification",
    "resnet": "image-classification",
    TIMM: "image-classification",
}


def _find(folder: Path, name: str) -> Checkpoint:
    return Checkpoint(name if name == TIMM else str(folder / name))


def _built(folder: Path, name: str, seed: int, names: list[str] = NAMES, **how: Any) -> Any:
    torch.manual_seed(seed)
    return _find(folder, name).classifier(TASKS[name], names, **how)


def _differing(first: Any, second: Any) -> set[str]:
    others = dict(second.named_parameters())
    return {n for n, p in first.named_parameters() if not torch.equal(p, others[n])}


def _heads(model: Any) -> set[str]:
    return {name for name, _ in model.named_parameters() if "classifier" in name}


@pytest.mark.parametrize("name", TASKS)
def test_the_seed_decides_the_head_and_nothing_else(folder: Path, name: str) -> None:
    first, again, other = (_built(folder, name, seed) for seed in (0, 0, 1))
    assert not _differing(first, again)
    drawn = _differing(first, other)
    assert drawn and drawn <= _heads(first)
    assert first.accepts_loss_kwargs is False


@pytest.mark.parametrize("name", TASKS)
def test_random_weights_are_fresh_and_seeded(folder: Path, name: str) -> None:
    first, again, other = (_built(folder, name, seed, weights="random") for seed in (0, 0, 1))
    assert not _differing(first, again)
    drawn = {n for n, p in first.named_parameters() if p.ndim > 1}
    assert _differing(first, other) >= drawn
    # The tiny checkpoints themselves were drawn with seed 0.
    assert _differing(other, _built(folder, name, 0)) >= drawn


def test_a_wrapped_network_from_scratch_starts_as_its_authors_chose(folder: Path) -> None:
    weights = dict(_built(folder, TIMM, 0, weights="random").named_parameters())
    # The wrapper alone would draw all of them with a standard deviation of 0.02.
    assert weights["timm_model.conv_stem.weight"].std() > 0.05
    assert weights["timm_model.blocks.5.2.conv_dw.weight"].std() > 0.2


def test_a_head_that_fits_is_kept_and_another_is_replaced(folder: Path) -> None:
    from safetensors.torch import load_file

    stored = load_file(folder / "bert" / "model.safetensors")
    kept = _built(folder, "bert", 0, ["no", "yes"]).state_dict()
    assert torch.equal(kept["classifier.weight"], stored["classifier.weight"])
    replaced = _built(folder, "bert", 0).state_dict()
    assert replaced["classifier.weight"].shape == (3, 32)
    same = set(stored) - {"classifier.weight", "classifier.bias"}
    assert all(torch.equal(replaced[key], stored[key]) for key in same)


@pytest.mark.parametrize("name", TASKS)
def test_class_names_survive_saving(folder: Path, name: str, tmp_path: Path) -> None:
    _built(folder, name, 0).save_pretrained(tmp_path)
    config = AutoConfig.from_pretrained(tmp_path)
    assert config.id2label == dict(enumerate(NAMES))
    assert config.label2id == {label: index for index, label in enumerate(NAMES)}
    assert config.num_labels == 3


def test_a_wrapped_network_reads_the_size_that_was_asked_for(tmp_path: Path) -> None:
    found = Checkpoint(TIMM)
    found.classifier("image-classification", NAMES, image_size=64).save_pretrained(tmp_path)
    found.image_processor(64).save_pretrained(tmp_path)
    assert AutoConfig.from_pretrained(tmp_path).pretrained_cfg["input_size"] == [3, 64, 64]
    picture = sample_image()
    for processor in (found.image_processor(64), AutoImageProcessor.from_pretrained(tmp_path)):
        assert processor(picture, return_tensors="pt")["pixel_values"].shape == (1, 3, 64, 64)
    whole = found.image_processor()(picture, return_tensors="pt")["pixel_values"]
    assert whole.shape == (1, 3, 224, 224)


def test_a_processor_reads_the_size_that_was_asked_for(folder: Path) -> None:
    picture = sample_image()
    for size, side in ((None, 32), (48, 48)):
        processor = _find(folder, "resnet").image_processor(size)
        assert processor(picture, return_tensors="pt")["pixel_values"].shape[2:] == (side, side)


def test_a_size_the_network_cannot_read_is_an_error(folder: Path) -> None:
    found = _find(folder, "vit")
    found.backbone(image_size=32)
    for ask in (found.backbone, found.image_processor):
        with pytest.raises(CheckpointError, match="image_size=64.*\n  expected: 32, the only size"):
            ask(image_size=64)


def test_a_tokenizer_cuts_to_the_positions_of_the_network(folder: Path, tmp_path: Path) -> None:
    bert = tmp_path / "bert"
    shutil.copytree(folder / "bert", bert)
    tokenizer = AutoTokenizer.from_pretrained(bert)
    tokenizer.model_max_length = int(1e30)
    tokenizer.pad_token = None
    tokenizer.eos_token = "[SEP]"
    tokenizer.save_pretrained(bert)
    found = Checkpoint(str(bert)).tokenizer()
    assert found.model_max_length == 16
    assert found.pad_token == "[SEP]"


# name -> (change of a BERT's folder, what must be said)
BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "no config": (lambda f: (f / "config.json").unlink(), "holds no config.json"),
    "config is no JSON": (lambda f: (f / "config.json").write_text("{"), "not a valid JSON"),
    "unknown type": (
        lambda f: (f / "config.json").write_text('{"model_type": "odd"}'),
        "model type `odd`",
    ),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), "holds no \\*.safetensors\n"),
    "empty weights": (lambda f: (f / "model.safetensors").write_bytes(b""), "header too small"),
    "no tokenizer": (
        lambda f: [file.unlink() for file in f.glob("token*")],
        "no vocabulary of a tokenizer",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_folders(folder: Path, name: str, tmp_path: Path) -> None:
    assert len(BROKEN) == 6
    change, said = BROKEN[name]
    shutil.copytree(folder / "bert", tmp_path / "bert")
    change(tmp_path / "bert")
    with pytest.raises(CheckpointError, match=said):
        found = Checkpoint(str(tmp_path / "bert"))
        found.tokenizer()
        found.backbone()


def test_licences_are_read_where_they_are_stated(folder: Path, tmp_path: Path) -> None:
    assert known_license(TIMM) == {"checkpoint": "apache-2.0"}
    assert known_license(str(folder / "bert")) == {}
    (tmp_path / "README.md").write_text("---\nlicense: mit\n---\n# Model\n")
    assert known_license(str(tmp_path)) == {"checkpoint": "mit"}
