"""Collapse, breakdown and negative transfer are noticed while a Trainer runs."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import Trainer

from hf_transfer_plugin.callbacks.negative_transfer import NegativeTransferCallback
from hf_transfer_plugin.errors import ConfigError
from tests.callbacks.tiny import assert_untouched, bert, flags, resnet
from tests.callbacks.watched_runs import build, kinds, learnable
from tests.decide.results import result


def logged(run: Trainer, key: str) -> list[float]:
    return [entry[key] for entry in run.state.log_history if key in entry]


def test_a_collapse_is_caught_with_its_diagnosis(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    watch = NegativeTransferCallback()
    run = build(tmp_path, watch, learning_rate=5e-1, max_steps=20, eval_steps=2)
    with caplog.at_level(logging.INFO):
        run.train()
    assert kinds(watch) == [(6, "collapse")]
    (alarm,) = watch.alarms
    assert alarm.message == (
        "one class predicted (LABEL_1, all of 32 rows; the largest class has 50% of the labels) "
        "for the last 3 evaluations (6 steps); learning rate 5e-1 is 10000x the usual 5e-5"
    )
    assert (alarm.value, alarm.expected, alarm.action) == (1.0, 0.5, "warn")
    assert caplog.text.count(alarm.message) == 1
    assert logged(run, "transfer/alarms") == [0, 0, *[1] * 8]
    assert logged(run, "transfer/alarm/collapse") == [1]
    assert run.state.global_step == 20


def test_a_healthy_run_raises_no_alarm(tmp_path: Path) -> None:
    model, before = bert(), flags(bert())
    watch = NegativeTransferCallback({0: 0.9, 4: 0.8, 40: 0.7}, bar=0.75, metric="loss")
    run = build(tmp_path, watch, model=model, max_steps=40, eval_steps=4)
    run.train()
    assert logged(run, "eval_loss")[-1] < 0.1
    assert not watch.alarms
    assert logged(run, "transfer/largest_share")[-1] == 0.5
    assert logged(run, "transfer/above_bar")[-1] > 0.6
    names = ("cka", "effective_rank", "smallest_singular_value", "drift", "drift/layer.0")
    numbers = {name: logged(run, f"transfer/{name}") for name in names}
    assert all(len(values) == 10 for values in numbers.values())
    assert all(0 <= value <= 1 for value in numbers["cka"])
    assert numbers["drift"] == sorted(numbers["drift"]) and numbers["drift"][0] > 0
    assert 1 < numbers["effective_rank"][-1] < 16
    assert_untouched(model, before)
    assert not model._forward_hooks and not model._forward_pre_hooks


def test_the_watch_leaves_the_weights_alone(tmp_path: Path) -> None:
    one, other = bert(), bert()
    build(tmp_path, model=one).train()
    probe = {"noise": lambda model: float(torch.rand(()))}
    build(tmp_path, NegativeTransferCallback(probe_data=probe), model=other).train()
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_a_model_that_is_its_pretrained_self_has_not_moved(tmp_path: Path) -> None:
    run = build(tmp_path, NegativeTransferCallback(), learning_rate=0.0, max_steps=1)
    run.train()
    assert logged(run, "transfer/drift") == [0.0]
    assert logged(run, "transfer/cka") == pytest.approx([1.0])


class Broken(Trainer):
    """Its loss is not a number at the third step, or its labels are all to be left out."""

    def compute_loss(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        broken = model.training and self.state.global_step == 2
        if broken and self.args.label_smoothing_factor == 0:
            inputs = inputs | {"labels": torch.full_like(inputs["labels"], -100)}
        found = super().compute_loss(model, inputs, *args, **kwargs)
        return found * float("nan") if broken and self.args.label_smoothing_factor else found


@pytest.mark.parametrize("smoothing", [0.0, 0.1], ids=["loss alone", "gradient too"])
@pytest.mark.parametrize("action", ["warn", "stop"])
def test_a_loss_that_is_no_number_is_caught_at_its_step(
    smoothing: float, action: Any, tmp_path: Path
) -> None:
    watch = NegativeTransferCallback(action=action)
    run = build(tmp_path, watch, label_smoothing_factor=smoothing, logging_steps=1, max_steps=5)
    run.__class__ = Broken
    run.train()
    assert kinds(watch)[0] == (3, "non_finite")
    assert "the loss or its gradient is nan at step 3" in watch.alarms[0].message
    assert run.state.global_step == (5 if action == "warn" else 3)
    if action == "stop":
        assert all(bool(p.isfinite().all()) for p in run.model.parameters())
    assert logged(run, "transfer/alarm/non_finite") == [1]


def test_gradients_that_vanish(tmp_path: Path) -> None:
    model = bert()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    model.classifier.requires_grad_(False)
    watch = NegativeTransferCallback()
    build(tmp_path, watch, model=model, weight_decay=0.0, max_steps=12).train()
    assert (10, "vanishing") in kinds(watch)


SCORES = [0.50, 0.60, 0.62, 0.63, 0.64, 0.65, 0.66, 0.67]


def test_below_the_control_at_equal_steps(tmp_path: Path) -> None:
    # Steps 2 and 3 are above it, 4 is on the margin, 5 to 7 below; it ends at step 7.
    control = {2: 0.55, 4: 0.64, 7: 0.85}
    watch = NegativeTransferCallback(control, metric="score", margin=0.01)
    run = build(tmp_path, watch, scores=SCORES)
    run.train()
    assert kinds(watch) == [(7, "below_control")]
    alarm = watch.alarms[0]
    assert (alarm.value, alarm.expected) == (0.66, pytest.approx(0.85))
    assert alarm.message.startswith(
        "best validation score 0.660 is below the control's best 0.850 for the last 3 evaluations "
        "(3 steps)"
    )
    above = logged(run, "transfer/above_control")
    assert above == pytest.approx([0.05, 0.025, -0.01, -0.07, -0.13, -0.19])


def test_below_the_bar(tmp_path: Path) -> None:
    watch = NegativeTransferCallback(bar=0.8, metric="score", patience=2)
    build(tmp_path, watch, scores=SCORES).train()
    # Climbing counts from the middle of the 8 steps on.
    assert kinds(watch) == [(5, "below_bar")]
    assert "below the frozen probe's 0.800 for the last 2 evaluations (2 steps)" in (
        watch.alarms[0].message
    )


def test_what_is_forgotten(tmp_path: Path) -> None:
    weights: list[float] = []

    def measure(model: Any, data: list[int]) -> float:
        assert not model.training and not torch.is_grad_enabled() and data == [1]
        weights.append(float(model.classifier.weight.sum()))
        return weights[-1]

    watch = NegativeTransferCallback(probe_data=([1], measure))
    run = build(tmp_path, watch, max_steps=3)
    run.train()
    dropped = [weights[0] - each for each in weights[1:]]
    assert logged(run, "transfer/forgotten/probe") == pytest.approx(dropped)
    assert len(dropped) == 3 and all(dropped)


def test_results_as_control_and_bar() -> None:
    bar = NegativeTransferCallback(bar=result("frozen-probe", (0.8, 0.6))).options
    assert bar.bar == pytest.approx(0.7) and bar.metric == "accuracy"


def test_images_with_batchnorm(tmp_path: Path) -> None:
    run = build(tmp_path, NegativeTransferCallback(), model=resnet(), max_steps=4)
    run.train()
    assert len(logged(run, "transfer/cka")) == len(logged(run, "transfer/largest_share")) == 4


def test_several_evaluation_sets(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    watch = NegativeTransferCallback(metric="b_loss")
    run = build(tmp_path, watch, max_steps=2)
    run.eval_dataset = {"a": learnable(24)[8:], "b": learnable(16)}
    run.train()
    seen = [entry for entry in run.state.log_history if "transfer/largest_share" in entry]
    assert len(seen) == 2 and all("eval_b_loss" in entry for entry in seen)
    assert all("transfer/cka" in entry for entry in seen)
    unknown = build(tmp_path, NegativeTransferCallback(metric="f1"), max_steps=1)
    unknown.train()
    assert "the watch follows eval_f1; this evaluation gave epoch, eval_loss" in caplog.text


CLASHING = result("from-scratch", (0.8, 0.6))
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "action": ({"action": "stopp"}, "did you mean 'stop'"),
    "margin": ({"margin": -0.1}, "margin=-0.1"),
    "patience": ({"patience": 0}, "patience=0"),
    "another metric": ({"bar": CLASHING, "metric": "f1_macro"}, "accuracy, this run by f1_macro"),
    "no curve": ({"control": CLASHING}, "from-scratch has no learning curve"),
    "empty": ({"control": {}}, "control is empty"),
    "no curve at all": ({"control": 0.5}, "control cannot be read"),
    "no number": ({"control": {1: float("nan")}}, "not finite"),
    "bar": ({"bar": "0.8"}, "bar='0.8'"),
    "probe": ({"probe_data": [1, 2]}, "probe_data is a list"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_arguments(name: str) -> None:
    arguments, fragment = BAD[name]
    with pytest.raises(ConfigError) as caught:
        NegativeTransferCallback(**arguments)
    assert fragment in caught.value.arrived and caught.value.action


def test_tables_are_whole() -> None:
    assert len(BAD) == 10 and len(SCORES) == 8
