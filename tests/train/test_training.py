"""Training arguments: which are refused, and that the others do what they say."""

from __future__ import annotations

from typing import Any

import pytest

from hf_transfer_plugin import TransferError, explain
from hf_transfer_plugin.adapt.schedules import FreezingSchedule
from hf_transfer_plugin.errors import ConfigError, LaunchError
from hf_transfer_plugin.records import Phase, Transition
from hf_transfer_plugin.train.arguments import check_training
from tests.train.settings import BEST_AT_THE_END, Setting

# name -> (training, processes, error, fragments of its text)
REFUSED: dict[str, tuple[dict[str, Any], int, type[TransferError], list[str]]] = {
    "folder": ({"output_dir": "x"}, 1, ConfigError, ["output_dir is set", "run_folder"]),
    "seed": ({"seed": 1}, 1, ConfigError, ["training.seed is set", "`seeds`"]),
    "data seed": ({"data_seed": 1}, 1, ConfigError, ["training.data_seed is set", "`seeds`"]),
    "batch": (
        {"per_device_train_batch_size": 4},
        1,
        ConfigError,
        ["per_device_train_batch_size is set", "`batch_size`"],
    ),
    "misspelt": ({"lr": 1}, 1, ConfigError, ["unknown key training.lr"]),
    "close": (
        {"num_train_epoch": 1},
        1,
        ConfigError,
        ["unknown key training.num_train_epoch", "did you mean 'num_train_epochs'?"],
    ),
    "dropped rows": (
        {"dataloader_drop_last": True},
        1,
        ConfigError,
        ["dataloader_drop_last: True", "False: Trainer would drop", "remove"],
    ),
    "publishing": ({"push_to_hub": True}, 1, ConfigError, ["push_to_hub: True", "hf-tl publish"]),
    "no predictions": ({"prediction_loss_only": True}, 1, ConfigError, ["need the predictions"]),
    "resuming": ({"resume_from_checkpoint": "x"}, 1, ConfigError, ["None: a run goes on"]),
    "no accumulation": (
        {"gradient_accumulation_steps": 0},
        1,
        ConfigError,
        ["gradient_accumulation_steps: 0", "from 1 up"],
    ),
    "accumulation in words": (
        {"gradient_accumulation_steps": "two"},
        1,
        ConfigError,
        ["gradient_accumulation_steps: 'two'"],
    ),
    "parts": (
        {"gradient_accumulation_steps": 3},
        1,
        LaunchError,
        ["batch_size 8 for 3 parts", "divided"],
    ),
    "processes": ({}, 3, LaunchError, ["batch_size 8 for 3 parts", "number of processes"]),
    "both": ({"gradient_accumulation_steps": 8}, 2, LaunchError, ["batch_size 8 for 16 parts"]),
}
ACCEPTED: dict[str, tuple[dict[str, Any], int]] = {
    "nothing": ({}, 1),
    "the values that are fixed": ({"dataloader_drop_last": False, "push_to_hub": False}, 1),
    "usual": ({"learning_rate": 1e-3, "warmup_steps": 0.1, "weight_decay": 0.1}, 1),
    "parts": ({"gradient_accumulation_steps": 2}, 4),
}


def test_the_tables_are_whole() -> None:
    assert (len(REFUSED), len(ACCEPTED)) == (15, 4)


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    training, processes, error, fragments = REFUSED[name]
    monkeypatch.setenv("WORLD_SIZE", str(processes))
    with pytest.raises(error) as caught:
        check_training(training, 8)
    assert all(fragment in str(caught.value) for fragment in fragments), caught.value


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    training, processes = ACCEPTED[name]
    monkeypatch.setenv("WORLD_SIZE", str(processes))
    check_training(training, 8)


@pytest.mark.parametrize(
    "training",
    [{"eval_strategy": "sometimes"}, {"load_best_model_at_end": True}, {"optim": "adam-o"}],
    ids=lambda training: next(iter(training)),
)
def test_what_trainer_refuses_is_a_config_error(texts: Setting, training: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="training cannot be used"):
        texts.train(texts.plan(training=training))


# name -> (training, batch size, optimizer steps over 40 rows)
STEPS: dict[str, tuple[dict[str, Any], int, int]] = {
    "two epochs": ({"num_train_epochs": 2}, 8, 10),
    "half an epoch": ({"num_train_epochs": 0.5}, 8, 3),
    "a number of steps": ({"max_steps": 7}, 8, 7),
    "accumulated": ({"num_train_epochs": 2, "gradient_accumulation_steps": 2}, 8, 10),
    "with a rest": ({"num_train_epochs": 2}, 16, 6),
    "accumulated with a rest": ({"num_train_epochs": 2, "gradient_accumulation_steps": 4}, 16, 6),
}


def test_steps_are_in_the_table() -> None:
    assert len(STEPS) == 6


@pytest.mark.parametrize("name", STEPS)
def test_steps_are_as_explained(name: str, texts: Setting) -> None:
    training, batch_size, steps = STEPS[name]
    plan = texts.plan(training=training, batch_size=batch_size)
    assert texts.train(plan).result.steps == steps
    assert explain(plan, train_examples=40).total_steps == steps


def test_accumulation_changes_nothing_else(texts: Setting) -> None:
    """Without dropout, two halves of a batch give the gradient of the whole one."""
    training = {"num_train_epochs": 2, "learning_rate": 1e-3}
    whole = texts.train(texts.plan(training=training)).result
    halves = texts.train(texts.plan(training={**training, "gradient_accumulation_steps": 2})).result
    # Sentences of a half are padded to another length, so sums round otherwise.
    assert halves.confidences == pytest.approx(whole.confidences, abs=1e-3)
    losses = [[point.train_loss for point in each.curve] for each in (whole, halves)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-3)


def test_the_best_model_is_loaded_at_the_end(texts: Setting) -> None:
    # The largest loss, for which epoch has the least is a matter of rounding.
    training = BEST_AT_THE_END | {"greater_is_better": True, "learning_rate": 1e-3}
    result = texts.train(texts.plan(training=training), seed=1).result
    best = max(result.curve, key=lambda point: point.validation_loss)
    assert best.step < result.curve[-1].step  # or nothing would be told from the last
    assert best.validation == result.validation["accuracy"] != result.curve[-1].validation
    keeps = ("save_strategy", "greater_is_better")
    plain = {k: v for k, v in training.items() if "best" not in k and k not in keeps}
    last = texts.train(texts.plan(training=plain), seed=1).result
    assert last.curve == result.curve
    assert result.confidences != last.confidences


def test_what_a_result_holds(texts: Setting) -> None:
    result = texts.train(texts.plan()).result
    assert (result.seed, result.learning_rate, result.steps) == (0, 1e-3, 10)
    assert [(point.step, point.epoch) for point in result.curve] == [(5, 1.0), (10, 2.0)]
    assert result.validation["accuracy"] == result.curve[-1].validation
    assert len(result.predictions) == len(result.confidences) == 20
    labels = texts.data.labels("test")
    right = sum(p == label for p, label in zip(result.predictions, labels, strict=True))
    assert result.test["accuracy"] == right / 20
    assert all(0.5 <= confidence <= 1 for confidence in result.confidences)
    assert result.wall_seconds > 0


def test_what_trained_when_is_kept_with_the_result(texts: Setting) -> None:
    schedule = (Phase(("head",), until_step=4), Phase(("top:1",), rates={"layer.*": 0.1}))
    trained = texts.train(texts.plan(schedule=schedule))
    assert trained.groups == ("embeddings", "layer.0", "layer.1", "neck", "head")
    assert trained.transitions == (
        Transition(0, 0, {"head": 1.0}),
        Transition(4, 1, {"layer.1": 0.1, "neck": 1.0, "head": 1.0}),
    )


def test_a_plateau_is_kept_where_it_was_reached(texts: Setting) -> None:
    """At a rate of next to nothing, the second evaluation (step 10) is no better."""
    schedule = (Phase(("head",), until_plateau=1, rate=1e-9), Phase(("*",)))
    training = {"num_train_epochs": 4, "metric_for_best_model": "accuracy"}
    trained = texts.train(texts.plan(schedule=schedule, training=training))
    assert trained.result.steps == 20
    assert [(each.step, each.phase) for each in trained.transitions] == [(0, 0), (10, 1)]
    assert set(trained.transitions[1].factors) == set(trained.groups)


def test_layers_that_were_drawn_are_kept_with_the_result(texts: Setting) -> None:
    schedule = FreezingSchedule.lisa(1, every=1)
    trained = texts.train(texts.plan(schedule=schedule.phases))
    always, blocks = {"embeddings", "neck", "head"}, {"layer.0", "layer.1"}
    drawn = [set(each.factors) - always for each in trained.transitions]
    assert len(drawn) > 2 and set.union(*drawn) == blocks
    assert all(len(each) == 1 for each in drawn)
    assert all(always < set(each.factors) for each in trained.transitions)


def test_without_evaluation_the_end_is_measured_all_the_same(texts: Setting) -> None:
    usual = texts.train(texts.plan()).result
    training = {**texts.plan().training, "eval_strategy": "no"}
    silent = texts.train(texts.plan(training=training)).result
    assert silent.curve == () and silent.validation == usual.validation
