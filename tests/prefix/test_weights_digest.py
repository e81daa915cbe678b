"""The digest of a frozen prefix changes with all that decides its output, and with nothing else."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from hf_transfer_plugin.prefix.cut import Cut, Skipped, Tap
from hf_transfer_plugin.prefix.leaf_shapes import LeafShape
from hf_transfer_plugin.prefix.unit_calls import LayerUnits, record
from hf_transfer_plugin.prefix.weights_digest import WeightsDigest
from tests.callbacks.tiny import lora
from tests.layer_cases import CASES

HEADS = {"bert": "classifier", "resnet": "classifier", "lora": "base_model.model.classifier"}


def made(kind: str) -> Any:
    torch.manual_seed(0)
    return lora().eval() if kind == "lora" else CASES[kind].build().eval()


def cut_before(model: nn.Module, boundary: str) -> tuple[LayerUnits, Cut]:
    """Return a cut that skips every call before one."""
    units = LayerUnits(model)
    image = getattr(model, "main_input_name", "") == "pixel_values"
    given: Any = {"pixel_values": torch.ones(2, 3, 32, 32)} if image else {}
    given = given or {"input_ids": torch.arange(8).view(2, 4)}
    with torch.no_grad():
        calls, _ = record(units, lambda: model(**given))
    place = [call.path for call in calls].index(boundary)
    skipped = tuple(Skipped(call.path, False, (), call.structure) for call in calls[:place])
    shape = LeafShape(((0, 1, 0), (16, 0, 0)), torch.float32)
    return units, Cut(boundary, units.group_of[boundary], skipped, (Tap(0, "given", 0, shape),))


def digest(model: nn.Module, boundary: str) -> str:
    units, cut = cut_before(model, boundary)
    assert cut.skipped
    return WeightsDigest(units).of(cut)


def _weight(name: str) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        with torch.no_grad():
            model.get_parameter(name).view(-1)[-1] += 1e-6

    return change


def _buffer(name: str) -> Callable[[Any], None]:
    return lambda model: model.get_buffer(name).view(-1)[0].add_(1e-3)


def _config(**changes: Any) -> Callable[[Any], None]:
    return lambda model: model.config.update(changes)


def _activation(model: Any) -> None:
    model.bert.encoder.layer[0].intermediate.intermediate_act_fn = nn.ReLU()


def _epsilon(model: Any) -> None:
    model.bert.embeddings.LayerNorm.eps = 1e-3


def _attention(model: Any) -> None:
    model.set_attn_implementation("eager")


def _without_adapters(model: Any) -> None:
    model.base_model.disable_adapter_layers()


def _other_adapter(model: Any) -> None:
    model.add_adapter("other", model.peft_config["default"])
    model.set_adapter("other")


def _scaling(model: Any) -> None:
    for module in model.modules():
        if isinstance(getattr(module, "scaling", None), dict):
            module.scaling["default"] *= 2


def _attention_scaling(model: Any) -> None:
    model.bert.encoder.layer[0].attention.self.scaling *= 2


def _double(model: Any) -> None:
    model.bert.embeddings.double()


STEM = "resnet.embedder.embedder"
CHANGES: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "a weight": ("bert", _weight("bert.embeddings.word_embeddings.weight")),
    "a weight of the last frozen layer": (
        "bert",
        _weight("bert.encoder.layer.1.output.dense.bias"),
    ),
    "type of a weight": ("bert", _double),
    "epsilon of a norm": ("bert", _epsilon),
    "epsilon in the configuration": ("bert", _config(layer_norm_eps=1e-3)),
    "activation": ("bert", _activation),
    "activation in the configuration": ("bert", _config(hidden_act="relu")),
    "attention": ("bert", _attention),
    "scaling of attention": ("bert", _attention_scaling),
    "a running mean": ("resnet", _buffer(f"{STEM}.normalization.running_mean")),
    "a running variance": ("resnet", _buffer(f"{STEM}.normalization.running_var")),
    "a convolution": ("resnet", _weight(f"{STEM}.convolution.weight")),
    "stride": (
        "resnet",
        lambda model: setattr(model.get_submodule(f"{STEM}.convolution"), "stride", (1, 1)),
    ),
    "adapters off": ("lora", _without_adapters),
    "another adapter": ("lora", _other_adapter),
    "weight of an adapter": (
        "lora",
        _weight("base_model.model.bert.encoder.layer.0.attention.self.query.lora_B.default.weight"),
    ),
    "scaling of an adapter": ("lora", _scaling),
}


@pytest.mark.parametrize("name", CHANGES)
def test_changes(name: str) -> None:
    kind, change = CHANGES[name]
    before, model = digest(made(kind), HEADS[kind]), made(kind)
    assert digest(model, HEADS[kind]) == before
    change(model)
    # The cut of the unchanged model, so that nothing but the model differs.
    _, cut = cut_before(made(kind), HEADS[kind])
    assert WeightsDigest(LayerUnits(model)).of(cut) != before


def _head(model: Any) -> None:
    with torch.no_grad():
        for parameter in model.get_submodule("classifier").parameters():
            parameter.add_(1.0)


def _wider_head(model: Any) -> None:
    model.classifier = nn.Linear(16, 7)
    model.config.num_labels = 7


def _labels(model: Any) -> None:
    model.config.id2label = {0: "a", 1: "b", 2: "c"}
    model.config.label2id = {"a": 0, "b": 1, "c": 2}
    model.config.problem_type = "single_label_classification"
    model.config._name_or_path = "elsewhere"


def _train(model: Any) -> None:
    model.train()
    model.requires_grad_(False)


def _strided(model: Any) -> None:
    for parameter in model.parameters():
        if parameter.ndim == 2:
            parameter.data = parameter.data.t().contiguous().t()


STAYS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "the head": ("bert", _head),
    "size of the head": ("bert", _wider_head),
    "names of labels": ("bert", _labels),
    "mode and what trains": ("bert", _train),
    "order in memory": ("bert", _strided),
    "channels last": ("resnet", lambda model: model.to(memory_format=torch.channels_last)),
    "the head of a convolutional network": (
        "resnet",
        lambda model: model.classifier.__setitem__(1, nn.Linear(16, 3)),
    ),
}


@pytest.mark.parametrize("name", STAYS)
def test_stays(name: str) -> None:
    kind, change = STAYS[name]
    before, model = digest(made(kind), HEADS[kind]), made(kind)
    change(model)
    assert digest(model, HEADS[kind]) == before


def test_boundary_and_what_is_kept() -> None:
    model = made("bert")
    boundaries = ["bert.encoder.layer.0", "bert.encoder.layer.1", "bert.pooler", "classifier"]
    digests = [digest(model, boundary) for boundary in boundaries]
    units, cut = cut_before(model, "classifier")
    known = WeightsDigest(units)
    other = LeafShape(((0, 1, 0), (8, 0, 0)), torch.float32)
    digests += [
        known.of(cut.running([], [Tap(1, "given", 0, cut.taps[0].shape)])),
        known.of(cut.running([], [Tap(0, "given", 0, other)])),
        known.of(cut.running([0], cut.taps)),
    ]
    assert len(set(digests)) == 7
    assert known.of(cut) == digests[3] != known.whole()


def test_each_layer_is_read_once() -> None:
    """A digest is of the weights as they were when it was asked first."""
    model = made("bert")
    units, cut = cut_before(model, "classifier")
    known = WeightsDigest(units)
    before = known.of(cut)
    _weight("bert.embeddings.word_embeddings.weight")(model)
    assert known.of(cut) == before != WeightsDigest(units).of(cut)


def test_two_models_of_one_kind_differ_by_their_weights_alone() -> None:
    one = made("bert")
    torch.manual_seed(7)
    other = type(one)(one.config).eval()
    assert digest(one, "classifier") != digest(other, "classifier")
    other.load_state_dict(one.state_dict())
    assert digest(one, "classifier") == digest(other, "classifier")


@pytest.mark.parametrize("kind", HEADS)
def test_the_same_in_another_process(kind: str) -> None:
    code = (
        "from tests.prefix.test_weights_digest import HEADS, digest, made\n"
        f"print('digest', digest(made({kind!r}), HEADS[{kind!r}]))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert f"digest {digest(made(kind), HEADS[kind])}" in done.stdout


def test_tables_are_whole() -> None:
    assert (len(CHANGES), len(STAYS)) == (17, 7)
