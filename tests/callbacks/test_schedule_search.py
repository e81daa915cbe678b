"""Optuna through `Trainer.hyperparameter_search`: every trial trains under the schedule it drew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
import pytest
from transformers import (
    BertForSequenceClassification,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)
from transformers.trainer_utils import BestRun

from hf_transfer_plugin import (
    FreezingCallback,
    NegativeTransferCallback,
    ScheduleSearchCallback,
    ScheduleSpace,
    layer_groups,
)
from hf_transfer_plugin.errors import ScheduleError
from tests.callbacks.tiny import bert_config, examples

SPACE = ScheduleSpace(
    {
        "full": {"name": "full", "decay": {"low": 0.5, "high": 1.0}},
        "lp_ft": {"name": "lp_ft", "fraction": {"low": 0.25, "high": 0.75}},
        "top": {"name": "top_layers", "n": {"low": 0, "high": 2}},
    }
)
RATES = {"low": 1e-4, "high": 1e-2, "log": True}


class FirstTrialsStay(optuna.pruners.BasePruner):
    """Prunes the trial with number 3 at its first report."""

    def prune(self, study: Any, trial: Any) -> bool:
        return bool(trial.number == 3)


class Seen(TrainerCallback):
    """Notes what trains in each step of each trial, and at which rate."""

    def __init__(self) -> None:
        self.trials: list[list[frozenset[str]]] = []
        self.rates: list[float] = []

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.trials.append([])
        self.rates.append(args.learning_rate)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        named = kwargs["model"].named_parameters()
        self.trials[-1].append(frozenset(name for name, weight in named if weight.requires_grad))


def _searching(folder: Path, *callbacks: TrainerCallback) -> Trainer:
    arguments = TrainingArguments(
        output_dir=str(folder), max_steps=8, use_cpu=True, disable_tqdm=True, report_to=[],
        eval_strategy="steps", eval_steps=4, save_strategy="no", logging_steps=1,
    )  # fmt: skip
    data = examples(BertForSequenceClassification(bert_config()))
    return Trainer(
        args=arguments,
        model_init=lambda: BertForSequenceClassification(bert_config()),
        train_dataset=data,
        eval_dataset=data,
        callbacks=list(callbacks),
    )


def test_each_trial_trains_under_its_schedule(tmp_path: Path) -> None:
    storage, seen = optuna.storages.InMemoryStorage(), Seen()
    watch = NegativeTransferCallback()
    study = optuna.create_study(study_name="schedules", storage=storage)
    for name in ("lp_ft", "top", "full", "lp_ft"):
        study.enqueue_trial({"schedule": name})
    run = _searching(tmp_path, ScheduleSearchCallback(SPACE), watch, seen)
    best = run.hyperparameter_search(
        backend="optuna",
        direction="minimize",
        hp_space=SPACE.hp_space(learning_rate=RATES),
        n_trials=5,
        study_name="schedules",
        storage=storage,
        load_if_exists=True,
        pruner=FirstTrialsStay(),
        sampler=optuna.samplers.RandomSampler(seed=0),
    )
    trials = optuna.load_study(study_name="schedules", storage=storage).trials
    assert [trial.params["schedule"] for trial in trials[:4]] == ["lp_ft", "top", "full", "lp_ft"]
    assert [trial.state.name for trial in trials] == [
        "PRUNED" if number == 3 else "COMPLETE" for number in range(5)
    ]
    assert [len(steps) for steps in seen.trials] == [8, 8, 8, 4, 8]
    model = BertForSequenceClassification(bert_config())
    groups = layer_groups(model)
    for trial, steps, rate in zip(trials, seen.trials, seen.rates, strict=True):
        assert rate == trial.params["learning_rate"] and 1e-4 <= rate <= 1e-2
        schedule = SPACE.schedule(trial.params)
        for step, trained in enumerate(steps):
            names = schedule.at(step, 8).resolve(groups)
            assert trained == {p for group in groups for p in _of(group, names)}, trial.params
        assert trial.value is not None and 0 < trial.value < 2, "the loss and nothing else"
    assert len({trial.params.get("lp_ft.fraction") for trial in trials}) > 2, "drawn, not fixed"

    assert isinstance(best, BestRun) and best.hyperparameters == trials[int(best.run_id)].params
    assert SPACE.arguments(best.hyperparameters).keys() == {"learning_rate"}
    FreezingCallback(SPACE.schedule(best.hyperparameters))
    with pytest.raises(ScheduleError, match="outside of a search"):
        run.train()


def _of(group: Any, names: Any) -> tuple[str, ...]:
    return group.parameter_names if group.name in names else ()


def test_a_search_over_something_else_is_refused(tmp_path: Path) -> None:
    run = _searching(tmp_path, ScheduleSearchCallback(SPACE))
    with pytest.raises(ScheduleError, match="parameters without schedule"):
        run.hyperparameter_search(
            backend="optuna", n_trials=1, hp_space=lambda trial: {"learning_rate": 1e-3}
        )


@pytest.mark.parametrize(
    ("choices", "match"),
    [
        ({}, "without schedules"),
        ({"a": {"name": "lp_ft", "fraction": {"low": 0.5}}}, "a.fraction"),
        ({"a": {"name": "lp_ft", "fraction": {"low": 0.5, "high": 0.1}}}, "a.fraction"),
        ({"a": {"name": "lp_ft", "fraction": {"choices": []}}}, "a.fraction"),
        ({"a": {"name": "lp_ftt"}}, "did you mean 'lp_ft'"),
        ({"a": {"name": "lp_ft", "part": {"low": 0.1, "high": 0.5}}}, "part"),
        ({"a": {"name": "adapters_first"}}, "under adapters"),
    ],
)
def test_a_space_is_checked_before_the_first_trial(choices: Any, match: str) -> None:
    with pytest.raises(ScheduleError, match=match):
        ScheduleSpace(choices)


def test_what_is_drawn_with_a_trial_is_built_again_from_its_parameters() -> None:
    space = ScheduleSpace.common(layers=2)
    with pytest.raises(ScheduleError, match="did you mean 'learning_rate'"):
        space.hp_space(learning_rat=1e-3)
    drawn = set()
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(12):
        trial = study.ask()
        assert space.suggest(trial) == space.schedule(trial.params)
        drawn.add(trial.params["schedule"])
    assert drawn == set(space.choices)
