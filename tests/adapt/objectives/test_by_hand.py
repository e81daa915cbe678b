"""Each formula against the same numbers worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import nn

from hf_transfer_plugin.adapt.objectives import BSS, L2SP, Delta
from hf_transfer_plugin.adapt.objectives.channel_weights import attention, channel_weights
from hf_transfer_plugin.adapt.objectives.loss_term import Pass, Read, Start

NOTHING = Pass({}, None, Read())


def start(model: nn.Module, first: Mapping[str, Any], head: tuple[str, ...]) -> Start:
    return Start(model, first, head, False, None, lambda: ())


def test_l2sp() -> None:
    """w moved by (1, 2) and a frozen one by 3, head (3, 4): 0.5/2 * 5 + 0.1/2 * 25 = 2.5."""
    model = nn.Module()
    model.w = nn.Parameter(torch.tensor([2.0, 3.0]))
    model.frozen = nn.Parameter(torch.tensor([3.0]), requires_grad=False)
    model.head = nn.Parameter(torch.tensor([3.0, 4.0]))
    term = L2SP(alpha=0.5, beta=0.1)
    first = {"w": torch.tensor([1.0, 1.0]), "frozen": torch.zeros(1)}
    term.attach(start(model, first, ("head",)))
    value, logged = term.term(NOTHING)
    assert value.item() == pytest.approx(2.5)
    assert (logged["moved"].item(), logged["head"].item()) == (5.0, 25.0)
    value.backward()  # type: ignore[no-untyped-call]
    assert model.w.grad is not None and model.w.grad.tolist() == [0.5, 1.0]


def test_l2sp_holds_what_an_adapter_adds() -> None:
    """B A of a LoRA with scaling 2: (2 * 1 * 3)^2 + (2 * 2 * 3)^2 = 180."""
    from peft import LoraConfig, get_peft_model

    network = nn.Sequential(nn.Linear(1, 2))
    model: Any = get_peft_model(network, LoraConfig(r=1, lora_alpha=2, target_modules=["0"]))
    layer = model.base_model.model[0]
    with torch.no_grad():
        layer.lora_A["default"].weight.fill_(3.0)
        layer.lora_B["default"].weight.copy_(torch.tensor([[1.0], [2.0]]))
    term = L2SP(alpha=2.0, beta=0.0)
    term.attach(start(model, {}, ()))
    assert term.term(NOTHING)[0].item() == pytest.approx(180.0)


def test_bss() -> None:
    """Singular values 3, 2 and 1: 0.1 * (1 + 4)."""
    features = torch.zeros(4, 3)
    features[0, 1], features[1, 2], features[3, 0] = 2.0, -3.0, 1.0
    value, _ = BSS(eta=0.1, k=2).term(Pass({}, None, Read(features)))
    assert value.item() == pytest.approx(0.5)
    assert math.isfinite(BSS(k=9).term(Pass({}, None, Read(features)))[0].item())


def test_delta_on_hidden_states() -> None:
    """Two texts of two tokens of width 2; the second token of the second one is padding."""
    ours = torch.tensor([[[1.0, 2.0], [3.0, 0.0]], [[0.0, 2.0], [9.0, 9.0]]])
    mask = torch.tensor([[1, 1], [1, 0]])
    seen = Pass({}, None, Read(layers=(ours, ours)), Read(layers=(ours * 0, ours * 0), mask=mask))
    # Texts: (5 + 9) / 2 = 7 and 4, so 5.5 for each block; the first block counts a half.
    value, logged = Delta(alpha=2.0, layer_decay=0.5).term(seen)
    assert (value.item(), logged["distance"].item()) == pytest.approx((8.25, 8.25))


def test_delta_on_feature_maps() -> None:
    """One picture of 2 pixels, 2 channels weighed .75 and .25: 2/2 (.75 (1 + 4) + .25 (9 + 1))."""
    ours = torch.tensor([[[1.0, 3.0], [2.0, 1.0]]])
    term = Delta(alpha=2.0)
    term.weights = (torch.tensor([0.75, 0.25]),)
    value, _ = term.term(Pass({}, None, Read(layers=(ours,)), Read(layers=(ours * 0,))))
    assert value.item() == pytest.approx(6.25)


def test_attention() -> None:
    """z-scores of (1, 2, 3) are -1, 0 and 1."""
    (found,) = attention([torch.tensor([1.0, 2.0, 3.0])])
    powers = [math.exp(z / 5) for z in (-1.0, 0.0, 1.0)]
    assert found.tolist() == pytest.approx([power / sum(powers) for power in powers])


def test_a_channel_that_tells_the_classes_weighs_most() -> None:
    """Channel 1 of 3 holds the label, the others noise; zeroing them one by one agrees."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(64) % 2
    maps = torch.randn(64, 3, 2, 2, generator=generator)
    maps[:, 1] += 4.0 * labels[:, None, None]

    def source(batch: Mapping[str, Any]) -> Read:
        raw = batch["maps"].clone().requires_grad_(True)
        return Read(features=raw.mean((2, 3)), raw=(raw,), channel_axes=(1,))

    (weights,) = channel_weights(source, [{"maps": maps, "labels": labels}])
    assert weights.argmax() == 1 and weights.sum().item() == pytest.approx(1.0)
