"""The formulas of domain adaptation against the same numbers worked out in plain numpy."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch

from hf_transfer_plugin.adapt.objectives import CDAN, CORAL, DANN, MCC, MMD, DomainConfusion
from hf_transfer_plugin.adapt.objectives.cdan import certainty
from hf_transfer_plugin.adapt.objectives.discriminator import domain_loss, warmed_up
from hf_transfer_plugin.adapt.objectives.domain_confusion import confusion
from hf_transfer_plugin.adapt.objectives.loss_term import LossTerm, Pass, Read, Start
from hf_transfer_plugin.errors import ConfigError

LABELS = torch.tensor([0, -100, 1, -100, 2, -100, -100])
TARGET = (LABELS == -100).numpy()
DRAW = np.random.default_rng(0)
FEATURES = DRAW.normal(size=(7, 4)) + TARGET[:, None]
LOGITS = 3 * DRAW.normal(size=(7, 3))


def _pass(features: torch.Tensor | None = None) -> Pass:
    read = torch.tensor(FEATURES, dtype=torch.float32) if features is None else features
    outputs = {"logits": torch.tensor(LOGITS, dtype=torch.float32)}
    return Pass({"labels": LABELS}, outputs, Read(features=read))


def _attached(term: LossTerm, steps: int = 0) -> LossTerm:
    term.attach(Start(torch.nn.Module(), {}, (), False, None, None, lambda: (), 3, steps))
    return term


def test_mmd() -> None:
    one, two = FEATURES[~TARGET], FEATURES[TARGET]
    width = np.mean([((a - b) ** 2).sum() for a, b in itertools.product(FEATURES, repeat=2)])

    def kernel(a: Any, b: Any) -> float:
        squared = float(((a - b) ** 2).sum())
        return sum(math.exp(-squared / (2 * alpha * width)) for alpha in (0.125, 0.25, 0.5, 1, 2))

    def within(rows: Any) -> float:
        return float(np.mean([kernel(a, b) for a, b in itertools.permutations(rows, 2)]))

    across = np.mean([kernel(a, b) for a in one for b in two])
    value, logged = MMD(weight=0.5).term(_pass())
    apart = within(one) + within(two) - 2 * across
    assert logged["discrepancy"].item() == pytest.approx(apart, rel=1e-4)
    assert value.item() == pytest.approx(apart / 2, rel=1e-4)


def test_coral() -> None:
    apart = np.cov(FEATURES[~TARGET].T) - np.cov(FEATURES[TARGET].T)
    value, _ = CORAL(weight=2.0).term(_pass())
    assert value.item() == pytest.approx(2 * (apart**2).sum() / (4 * 4**2), rel=1e-4)


def test_mcc() -> None:
    powers = np.exp(LOGITS[TARGET] / 2.5)
    p = powers / powers.sum(1, keepdims=True)
    certain = 1 + np.exp((p * np.log(p)).sum(1))
    w = len(p) * certain / certain.sum()
    wrong = 0.0
    for one in range(3):
        row = [sum(w[i] * p[i, one] * p[i, two] for i in range(len(p))) for two in range(3)]
        wrong += (sum(row) - row[one]) / sum(row)
    value, _ = MCC(weight=3.0).term(_pass())
    assert value.item() == pytest.approx(3 * wrong / 3, rel=1e-4)


def test_lambda() -> None:
    assert warmed_up(0, 1000) == 0.0
    assert warmed_up(1500, 1000) == pytest.approx(2 / (1 + math.exp(-1.5)) - 1)


def test_dann_moves_features_against_the_discriminator() -> None:
    """The discriminator's own gradient, times -lambda and the weight."""
    features = torch.tensor(FEATURES, dtype=torch.float32, requires_grad=True)
    term: Any = _attached(DANN(weight=0.5, warmup=2, width=8))
    judge = term.discriminator(4, features.device)
    judge.steps = 3
    value, logged = term.term(_pass(features))
    value.backward()
    plain = torch.tensor(FEATURES, dtype=torch.float32, requires_grad=True)
    z = judge.at_rest(plain)
    y = torch.tensor(TARGET)
    by_hand = (torch.log1p(torch.exp(-z[y])).mean() + torch.log1p(torch.exp(z[~y])).mean()) / 2
    by_hand.backward()  # type: ignore[no-untyped-call]
    assert value.item() == pytest.approx(by_hand.item() / 2, rel=1e-5)
    assert plain.grad is not None and features.grad is not None
    torch.testing.assert_close(features.grad, -0.5 * math.tanh(0.75) * plain.grad)
    right = ((z > 0) == y).float()
    accuracy = (right[y].mean() + right[~y].mean()) / 2
    assert logged["accuracy"].item() == pytest.approx(accuracy.item())


def test_cdan_reads_features_and_answers_together() -> None:
    features = torch.tensor(FEATURES, dtype=torch.float32, requires_grad=True)
    answers = torch.softmax(torch.tensor(LOGITS, dtype=torch.float32), 1)
    term: Any = _attached(CDAN(warmup=1, width=8, entropy=True))
    value, _ = term.term(_pass(features))
    judge = term.discriminator(12, features.device)
    joint = torch.stack(
        [torch.outer(g, f).flatten() for g, f in zip(answers, features, strict=True)]
    )
    entropy = torch.tensor([-sum(float(p) * math.log(p) for p in row) for row in answers])
    weights = 1 + torch.exp(-entropy)
    torch.testing.assert_close(certainty(answers), weights)
    z, y = judge.at_rest(joint), torch.tensor(TARGET)
    losses = torch.where(y, torch.log1p(torch.exp(-z)), torch.log1p(torch.exp(z)))
    halves = [(losses * weights)[side].sum() / weights[side].sum() for side in (y, ~y)]
    assert value.item() == pytest.approx(sum(h.item() for h in halves) / 2, rel=1e-5)


def test_cdan_maps_many_numbers_at_random() -> None:
    """E over maps of <T(f, g), T(f', g')> is <f, f'> <g, g'>."""
    draw = torch.Generator().manual_seed(0)
    features = torch.randn(7, 2000, generator=draw).requires_grad_(True)
    term: Any = _attached(CDAN(width=8))
    term.term(_pass(features))
    judge = term.discriminator(0, features.device)
    assert judge.layers[0].in_features == 1024
    of_features, of_answers = judge.get_buffer("of_features"), judge.get_buffer("of_answers")
    answers = torch.softmax(torch.tensor(LOGITS, dtype=torch.float32), 1)
    joint = (features @ of_features) * (answers @ of_answers) / 32
    wanted = (features @ features.T) * (answers @ answers.T)
    gap = (joint @ joint.T - wanted).diagonal() / wanted.diagonal()
    assert gap.abs().max() < 0.25


def test_domain_confusion() -> None:
    """Logit ln 3 of one target row, and 0 of one source row."""
    logits, target = torch.tensor([math.log(3.0), 0.0]), torch.tensor([True, False])
    of_target = -(math.log(0.75) + math.log(0.25)) / 2
    assert confusion(logits, target).item() == pytest.approx((of_target + math.log(2)) / 2)
    loss, accuracy = domain_loss(logits, target)
    assert loss.item() == pytest.approx((-math.log(0.75) + math.log(2)) / 2)
    assert accuracy.item() == 1.0
    features = torch.tensor(FEATURES, dtype=torch.float32, requires_grad=True)
    term: Any = _attached(DomainConfusion(weight=0.0))
    value, logged = term.term(_pass(features))
    value.backward()
    assert features.grad is not None and not features.grad.any(), "the discriminator moves none"
    assert value.item() == pytest.approx(logged["domain"].item())
    judge = term.discriminator(4, features.device)
    before = judge.layers[0].weight.grad.clone()
    judge.optimizer.zero_grad()
    confusion(judge.at_rest(features), torch.tensor(TARGET)).backward()  # type: ignore[no-untyped-call]
    assert features.grad.any() and before.any() and judge.layers[0].weight.grad is None


TERMS = {"dann": DANN, "cdan": CDAN, "confusion": DomainConfusion, "mmd": MMD, "coral": CORAL}


@pytest.mark.parametrize("name", [*TERMS, "mcc"])
def test_a_batch_of_one_domain_is_refused(name: str) -> None:
    term = _attached({**TERMS, "mcc": MCC}[name]())
    for labels, missing in (
        (torch.zeros(7, dtype=torch.long), "target"),
        (LABELS * 0 - 100, "source"),
    ):
        seen = Pass({"labels": labels}, _pass().outputs, _pass().read)
        with pytest.raises(ConfigError, match=f"a batch without {missing} rows"):
            term.term(seen)


@pytest.mark.parametrize("name", TERMS)
def test_one_row_of_each_domain_gives_a_finite_slope(name: str) -> None:
    features = torch.tensor(FEATURES[:2], dtype=torch.float32, requires_grad=True)
    outputs = {"logits": torch.tensor(LOGITS[:2], dtype=torch.float32)}
    seen = Pass({"labels": LABELS[:2]}, outputs, Read(features=features))
    value, _ = _attached(TERMS[name]()).term(seen)
    value.backward()  # type: ignore[no-untyped-call]
    assert features.grad is not None and features.grad.isfinite().all()
