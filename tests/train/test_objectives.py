"""Objectives in a run: they train, and are explained."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hf_transfer_plugin import controls, explain
from hf_transfer_plugin.errors import ConfigError
from hf_transfer_plugin.records import Adapter, DataSpec, Objective, Plan
from tests.train.settings import Setting

TRAINING = {"num_train_epochs": 2, "learning_rate": 1e-2}


@pytest.mark.parametrize(
    ("kind", "name"),
    [("texts", "l2sp"), ("texts", "co_tuning"), ("images", "delta"), ("images", "relational")],
)
def test_a_plan_trains_with_its_objective(
    kind: str, name: str, request: pytest.FixtureRequest
) -> None:
    setting: Setting = request.getfixturevalue(kind)
    plain = setting.plan(training=TRAINING, watch="off")
    strong: dict[str, Any] = {"l2sp": {"alpha": 10.0}, "delta": {"alpha": 10.0}}
    held = replace(plain, objective=Objective(name, strong.get(name, {})))
    free, bound = setting.train(plain), setting.train(held)
    assert [p.validation_loss for p in free.result.curve] != [
        p.validation_loss for p in bound.result.curve
    ]
    assert controls(held)[0].objective is None and replace(held, objective=None) == plain


def test_a_second_pass_is_explained(texts: Setting) -> None:
    plan = texts.plan(adapter=Adapter("lora"), training=TRAINING)
    plain = explain(plan, train_examples=32)
    told = explain(replace(plan, objective=Objective("delta")), train_examples=32)
    cheap = explain(replace(plan, objective=Objective("l2sp")), train_examples=32)
    added = told.phases[0].relative_cost - plain.phases[0].relative_cost
    assert 0.3 < added < 0.36, "a forward pass is about a third of a step"
    assert cheap.phases == plain.phases
    twice = explain(replace(plan, objective=Objective("r_drop")), train_examples=32)
    assert twice.phases[0].relative_cost == pytest.approx(2 * plain.phases[0].relative_cost)
    (words,) = set(told.findings) - set(plain.findings)
    assert "DELTA, Li et al. 2019" in words and "% of a step" in words and "alpha 0.01" in words


def test_co_tuning_needs_a_source_with_a_head() -> None:
    plan = Plan("transfer", "text-classification", "sample:minilm", DataSpec("texts"))
    with pytest.raises(ConfigError, match="co_tuning on sample:minilm, a BertModel"):
        explain(replace(plan, objective=Objective("co_tuning")), train_examples=32)
