"""Each formula against the same numbers worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import nn

from hf_transfer_plugin.adapt.objectives import BSS, L2SP, CoTuning, Delta, FeatureNorm, RDrop
from hf_transfer_plugin.adapt.objectives.channel_weights import attention, channel_weights
from hf_transfer_plugin.adapt.objectives.co_tuning import relationship, soft_cross_entropy
from hf_transfer_plugin.adapt.objectives.loss_term import Pass, Read, Start
from hf_transfer_plugin.adapt.objectives.r_drop import symmetric_divergence
from hf_transfer_plugin.adapt.objectives.relational import Relational, angle_loss, distance_loss
from hf_transfer_plugin.errors import ConfigError

NOTHING = Pass({}, None, Read())


def start(model: nn.Module, first: Mapping[str, Any], head: tuple[str, ...]) -> Start:
    return Start(model, first, head, False, None, None, lambda: ())


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
    """Channel 1 of 3 holds the label, the others noise."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(64) % 2
    maps = torch.randn(64, 3, 2, 2, generator=generator)
    maps[:, 1] += 4.0 * labels[:, None, None]

    def source(batch: Mapping[str, Any]) -> Read:
        raw = batch["maps"].clone().requires_grad_(True)
        return Read(features=raw.mean((2, 3)), raw=(raw,), channel_axes=(1,))

    (weights,) = channel_weights(source, [{"maps": maps, "labels": labels}])
    assert weights.argmax() == 1 and weights.sum().item() == pytest.approx(1.0)


def test_co_tuning() -> None:
    """Two rows of class 0 give (.9, .1) and (.5, .5), one of class 1 gives (.2, .8)."""
    answers = torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]])
    related = relationship(answers, torch.tensor([0, 1, 0]))
    torch.testing.assert_close(related, torch.tensor([[0.7, 0.3], [0.2, 0.8]]))
    logits = torch.tensor([[math.log(3.0), 0.0]])  # q = (.75, .25)
    by_hand = -0.7 * math.log(0.75) - 0.3 * math.log(0.25)
    assert soft_cross_entropy(logits, related[:1]).item() == pytest.approx(by_hand)

    rows = [{"labels": torch.tensor([0, 1, 0]), "answers": answers}]
    term = CoTuning(weight=2.0)
    begun = Start(
        nn.Module(), {}, (), False,
        lambda batch: Read(features=batch["answers"].log()),
        lambda read: logits if read.features is None else read.features,
        lambda: rows,
    )  # fmt: skip
    term.attach(begun)
    value, _ = term.term(Pass({"labels": torch.tensor([0])}, None, Read()))
    assert value.item() == pytest.approx(2 * by_hand)
    two_domains = {"labels": torch.tensor([0, -100])}
    value, _ = term.term(Pass(two_domains, None, Read(features=logits.repeat(2, 1))))
    assert value.item() == pytest.approx(2 * by_hand)


def test_relational() -> None:
    """A triangle of sides 3, 4, 5 against one of sides 1, 1, sqrt 2, each over its mean side."""
    theirs = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]])
    ours = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    mean = (2 + math.sqrt(2)) / 3
    gaps = [1 / mean - 3 / 4, 1 / mean - 4 / 4, math.sqrt(2) / mean - 5 / 4]
    apart = 2 * sum(gap**2 / 2 for gap in gaps) / 9
    assert distance_loss(ours, theirs).item() == pytest.approx(apart, rel=1e-5)
    # Cosines of the angles: 0, .6, .8 against 0 and twice sqrt 1/2, each for two orders of 27.
    half = math.sqrt(0.5)
    turned = 2 * ((half - 0.6) ** 2 / 2 + (half - 0.8) ** 2 / 2) / 27
    assert angle_loss(ours, theirs).item() == pytest.approx(turned, rel=1e-5)
    value, _ = Relational(distance=2.0, angle=3.0).term(
        Pass({}, None, Read(features=ours), Read(features=theirs))
    )
    assert value.item() == pytest.approx(2 * apart + 3 * turned, rel=1e-5)
    one = ours[:1].repeat(2, 1).requires_grad_(True)
    distance_loss(one, theirs[:2]).backward()  # type: ignore[no-untyped-call]
    assert one.grad is not None and one.grad.isfinite().all(), "two examples that are one"


def test_feature_norm() -> None:
    """Norms 5 and 10; each is drawn to one that is 2 larger, or their mean 7.5 to 8.5."""
    features = torch.tensor([[3.0, 4.0], [0.0, 10.0]], requires_grad=True)
    seen = Pass({}, None, Read(features))
    value, logged = FeatureNorm(weight=0.5, delta=2.0).term(seen)
    assert (value.item(), logged["norm"].item()) == pytest.approx((0.5 * 4, 7.5))
    value.backward()  # type: ignore[no-untyped-call]
    # 0.5 * 2 (norm - target) / 2 rows = -1, along f / |f|.
    assert features.grad is not None
    torch.testing.assert_close(features.grad, torch.tensor([[-0.6, -0.8], [0.0, -1.0]]))
    assert FeatureNorm(weight=0.5, radius=8.5).term(seen)[0].item() == pytest.approx(0.5)
    nothing = torch.zeros(1, 2, requires_grad=True)
    FeatureNorm().term(Pass({}, None, Read(nothing)))[0].backward()  # type: ignore[no-untyped-call]
    assert nothing.grad is not None and nothing.grad.isfinite().all()


def test_r_drop() -> None:
    """Rows (.75, .25) against (.5, .5), and one that stays: half of ln 1.5 and of ln 2/3 terms."""
    one = torch.tensor([[0.75, 0.25], [0.9, 0.1]]).log() + 3.0
    two = torch.tensor([[0.5, 0.5], [0.9, 0.1]]).log()
    there = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    back = 0.5 * math.log(2 / 3) + 0.5 * math.log(2.0)
    assert symmetric_divergence(one, two).item() == pytest.approx((there + back) / 2 / 2)
    batch = {"labels": torch.tensor([0, 1])}
    seen = Pass(batch, {"logits": one}, Read(), again={"logits": two})
    assert RDrop(alpha=4.0).term(seen)[0].item() == pytest.approx(there + back)
    assert not RDrop().term(Pass(batch, {"logits": one}, Read()))[0].requires_grad
    for wrong in ({"labels": torch.rand(2, 3)}, {"labels": torch.tensor([0])}):
        with pytest.raises(ConfigError, match="objective r_drop on"):
            RDrop().term(Pass(wrong, {"logits": one}, Read(), again={"logits": two}))
