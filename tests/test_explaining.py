"""What is explained is what a run then does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from transformers import TrainerCallback, TrainingArguments

from hf_transfer_plugin import (
    Adapter,
    DataSpec,
    Explanation,
    FreezingCallback,
    FreezingSchedule,
    Phase,
    Plan,
    explain,
)
from hf_transfer_plugin.errors import CheckpointError, ConfigError, ScheduleError
from tests.callbacks.tiny import MODELS, trainer
from tests.tiny_runs import offline_cache, text_checkpoint, write_text_folder

STEPS = 12
SCHEDULES = {
    "full": FreezingSchedule.full(),
    "linear probe": FreezingSchedule.linear_probe(),
    "top layer": FreezingSchedule.top_layers(1),
    "probe, then all": FreezingSchedule.lp_ft(0.25),
    "gradual": FreezingSchedule.gradual_unfreezing(2),
    "layers at two rates": FreezingSchedule(
        (Phase(train=("head",), until_step=4, name="head"), Phase(train=("top:1",), rate=0.1))
    ),
}


class Counter(TrainerCallback):
    """Counts at each step the weights that can train."""

    def __init__(self) -> None:
        self.trainable: list[int] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        trained = [p.numel() for p in kwargs["model"].parameters() if p.requires_grad]
        self.trainable.append(sum(trained))


def _arguments(folder: Path, **changed: Any) -> TrainingArguments:
    keys = {"max_steps": STEPS, "learning_rate": 1e-2, "use_cpu": True, **changed}
    return TrainingArguments(output_dir=str(folder), **keys)


def test_cases() -> None:
    assert len(SCHEDULES) == 6


@pytest.mark.parametrize("kind", ["bert", "resnet"])
@pytest.mark.parametrize("name", SCHEDULES)
def test_each_phase_is_as_explained(name: str, kind: str, tmp_path: Path) -> None:
    schedule, model, counter = SCHEDULES[name], MODELS[kind](), Counter()
    explained = explain(model, schedule, _arguments(tmp_path))
    callback = FreezingCallback(schedule)
    trainer(model, tmp_path, callback, counter, max_steps=STEPS).train()
    told = [
        phase.trainable_parameters
        for phase in explained.phases
        for _ in range(phase.start, phase.end)
    ]
    assert told == counter.trainable
    assert explained.total_steps == STEPS and len(explained.phases) == len(schedule.phases)
    assert explained.parameters == sum(p.numel() for p in model.parameters())
    for phase, planned in zip(explained.phases, schedule.phases, strict=True):
        assert phase.share == phase.trainable_parameters / explained.parameters
        assert phase.peak_rate == pytest.approx(1e-2 * planned.rate)
        assert phase.optimizer_mib == phase.trainable_parameters * 8 / 2**20
        assert 1 / 3 < phase.relative_cost <= 1
    whole = [phase for phase in explained.phases if phase.share == 1]
    assert all(phase.relative_cost == 1 for phase in whole)


@pytest.mark.parametrize(
    ("arguments", "examples", "steps"),
    [
        ({"max_steps": 5}, None, 5),
        ({"max_steps": 5}, 1000, 5),
        ({"max_steps": -1, "num_train_epochs": 3}, 17, 9),
        ({"max_steps": -1, "num_train_epochs": 0.5}, 64, 4),
        (
            {"max_steps": -1, "num_train_epochs": 2, "gradient_accumulation_steps": 2},
            33,
            6,
        ),
    ],
)
def test_steps_of_a_model(
    arguments: dict[str, Any], examples: int | None, steps: int, tmp_path: Path
) -> None:
    args = _arguments(tmp_path, per_device_train_batch_size=8, **arguments)
    model = MODELS["bert"]()
    told = explain(model, FreezingSchedule.full(), args, train_examples=examples)
    assert (told.total_steps, told.model) == (steps, "BertForSequenceClassification")


def test_text_and_file(tmp_path: Path) -> None:
    told = explain(MODELS["bert"](), FreezingSchedule.lp_ft(0.25), _arguments(tmp_path))
    lines = str(told).splitlines()
    total = f"{told.parameters:,}"
    assert lines[0] == (
        f"BertForSequenceClassification: {total} weights in {len(told.groups)} layer groups "
        f"(embeddings ... head), 12 optimizer steps"
    )
    head, all_layers = lines[3], lines[4]
    # The pooler, 16 x 16 weights and 16 biases, and the head, 16 x 2 and 2.
    assert "0-3" in head and " 306 " in head and "0.01" in head
    assert "3-12" in all_layers and total in all_layers and "100.00%" in all_layers
    assert {len(line) for line in lines[2:5]} == {len(lines[2])}
    told.save(tmp_path / Explanation.file_name)
    assert Explanation.load(tmp_path / Explanation.file_name) == told


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    offline_cache(monkeypatch, tmp_path)
    write_text_folder(tmp_path / "texts")
    checkpoint = text_checkpoint(tmp_path / "bert")
    return Plan(
        "transfer",
        "text-classification",
        str(checkpoint),
        DataSpec(str(tmp_path / "texts")),
        schedule=FreezingSchedule.lp_ft(0.5).phases,
        training={"num_train_epochs": 2, "learning_rate": 1e-3},
        batch_size=8,
        learning_rates=(1e-3, 1e-2),
    )


def test_a_plan_is_explained_from_its_data_without_its_weights(plan: Plan) -> None:
    (Path(plan.checkpoint) / "model.safetensors").unlink()
    told = explain(plan)
    assert told == explain(plan, train_examples=40)
    assert (told.model, told.total_steps) == (plan.checkpoint, 10)
    assert [(phase.start, phase.end) for phase in told.phases] == [(0, 5), (5, 10)]
    # Pooler and head, with biases; the highest rate of the grid.
    assert told.phases[0].trainable_parameters == 33 * 32 + 33 * 2
    assert told.phases[0].peak_rate == 1e-2
    assert told.phases[1].trainable_parameters == told.parameters


def test_the_weights_of_an_adapter_are_counted(plan: Plan) -> None:
    (Path(plan.checkpoint) / "model.safetensors").unlink()
    bare = explain(plan, train_examples=40)
    adapter = Adapter("lora", {"r": 4}, lora_plus=16.0)
    told = explain(replace(plan, adapter=adapter), train_examples=40)
    layer = 4 * 4 * (32 + 32) + 2 * 4 * (32 + 64)
    pooler, head = 4 * (32 + 32), 33 * 2
    assert [phase.trainable_parameters for phase in told.phases] == [
        pooler + head,
        2 * layer + pooler + head,
    ]
    # peft trains a copy of the head.
    assert told.parameters == bare.parameters + 2 * layer + pooler + head
    assert told.phases[1].optimizer_mib < bare.phases[1].optimizer_mib
    assert told.phases[1].relative_cost < 1.0
    assert "at 16 times the rates above" in told.findings[-1]
    boft = explain(replace(plan, adapter=Adapter("boft")), train_examples=40)
    assert boft.phases[1].trainable_parameters > head, "this one needs values to be attached"


# name -> (what changes in the plan, error, fragments)
ERRORS: dict[str, tuple[dict[str, Any], type[Exception], list[str]]] = {
    "selector": (
        {"schedule": (Phase(train=("layr.*",)),)},
        ScheduleError,
        ["layr.*", "layer.0"],
    ),
    "too few steps": ({"training": {"max_steps": 1}}, ScheduleError, ["would get no step"]),
    "no rate": (
        {"training": {"learning_rate": "fast"}, "learning_rates": ()},
        ConfigError,
        ["training.learning_rate: 'fast'", "a number"],
    ),
    "no number of epochs": (
        {"training": {"num_train_epochs": None}},
        ConfigError,
        ["training.num_train_epochs: None"],
    ),
    "no network": ({"checkpoint": "baseline:majority"}, CheckpointError, ["baseline:majority"]),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_of_a_plan(name: str, plan: Plan) -> None:
    assert len(ERRORS) == 5
    changed, error, fragments = ERRORS[name]
    with pytest.raises(error) as caught:
        explain(replace(plan, **changed), train_examples=40)
    assert all(fragment in str(caught.value) for fragment in fragments), caught.value


@pytest.mark.parametrize("missing", ["schedule", "args", "steps"])
def test_a_model_needs_schedule_arguments_and_steps(missing: str, tmp_path: Path) -> None:
    steps = {"max_steps": -1} if missing == "steps" else {}
    schedule = None if missing == "schedule" else FreezingSchedule.full()
    args = None if missing == "args" else _arguments(tmp_path, **steps)
    with pytest.raises(ConfigError, match="a model without schedule, args or number of steps"):
        explain(MODELS["bert"](), schedule, args)
