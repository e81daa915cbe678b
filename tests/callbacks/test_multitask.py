"""Several tasks in an unmodified Trainer: logs, metrics, resume, freezing, refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from hf_transfer_plugin import FreezingCallback, FreezingSchedule, prefix_cache
from hf_transfer_plugin.adapt.adapters import apply_adapter
from hf_transfer_plugin.adapt.multitask import TaskRows, TrainingRows
from hf_transfer_plugin.errors import ConfigError, DataError
from hf_transfer_plugin.layers import layer_groups
from hf_transfer_plugin.multitask_records import Way
from tests.adapt.multitask.cases import CLASSES, build, trainer
from tests.callbacks.tiny import Recorder, group_tensors, tensors


def _schedule() -> FreezingCallback:
    return FreezingCallback(FreezingSchedule.lp_ft(0.4))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("networks")


@pytest.mark.parametrize(
    ("way", "adapter"), [(Way("temperature", 3.0), None), (Way("round_robin", pcgrad=True), "lora")]
)
def test_a_resumed_run_ends_with_equal_bytes(
    way: Way, adapter: str | None, folder: Path, tmp_path: Path
) -> None:
    """Stopped within an epoch of six passes, between two passes of a step; dropout is on."""

    def network() -> Any:
        model: Any = build("bert", folder, pcgrad=way.pcgrad)
        return model if adapter is None else apply_adapter(model, adapter)

    steps: dict[str, Any] = {"max_steps": 6, "gradient_accumulation_steps": 2}
    whole = network()
    keeping: dict[str, Any] = {"save_strategy": "steps", "save_steps": 4, **steps}
    trainer(whole, tmp_path, _schedule(), way=way, **keeping).train()
    resumed = network()
    again = trainer(resumed, tmp_path, _schedule(), way=way, **keeping)
    again.train(resume_from_checkpoint=str(tmp_path / "checkpoint-4"))
    assert again.state.global_step == 6
    before = tensors(resumed)
    assert all(torch.equal(each, before[name]) for name, each in tensors(whole).items())


def test_the_schedule_freezes_the_network_and_the_heads_of_all(
    folder: Path, tmp_path: Path
) -> None:
    model: Any = build("bert", folder, pcgrad=True)
    recorder = Recorder()
    freezing = _schedule()
    trainer(model, tmp_path, freezing, recorder, way=Way("round_robin"), max_steps=5).train()
    groups = group_tensors(model)
    heads = {f"classifier.heads.{number}.weight" for number in range(3)}
    assert heads < groups["head"]
    first, last = recorder.moved()[0], recorder.moved()[-1]
    assert heads <= first <= groups["head"] | groups["neck"]
    assert first < last == {name for name, _ in model.named_parameters()}


def test_logs_and_metrics_of_each_task(folder: Path, tmp_path: Path) -> None:
    model: Any = build("bert", folder, pcgrad=True)
    arguments: dict[str, Any] = {
        "num_train_epochs": 2,
        "max_steps": -1,
        "eval_strategy": "epoch",
        "save_strategy": "epoch",
        "load_best_model_at_end": True,
        "metric_for_best_model": "mean_accuracy",
        "logging_steps": 3,
    }
    run = trainer(model, tmp_path, way=Way("round_robin"), **arguments)
    run.train()
    history = run.state.log_history
    logged = [entry for entry in history if "loss" in entry]
    assert len(logged) == 4
    for entry in logged:
        # Four rows a pass, of three tasks in turn: over three passes each has four.
        parts = [entry[f"loss/{task}"] for task in CLASSES]
        assert sum(parts) / 3 == pytest.approx(entry["loss"], rel=1e-5)
        assert entry["pcgrad/pairs"] == 9 and 0 <= entry["pcgrad/conflicts"] <= 9
        shares = [entry[f"pcgrad/{pair}"] for pair in ("mood / spam", "mood / topic")]
        assert all(0 <= share <= 1 for share in shares)
    evaluated = [entry for entry in history if "eval_loss" in entry]
    assert len(evaluated) == 2
    for entry in evaluated:
        scores = [entry[f"eval_{task}_accuracy"] for task in CLASSES]
        assert entry["eval_mean_accuracy"] == pytest.approx(sum(scores) / 3)
        losses = [entry[f"eval_{task}_loss"] * rows for task, rows in zip(CLASSES, (12, 4, 8))]  # noqa: B905
        assert sum(losses) / 24 == pytest.approx(entry["eval_loss"], rel=1e-5)
    assert run.state.best_metric == max(entry["eval_mean_accuracy"] for entry in evaluated)


def test_two_passes_are_one_of_twice_the_rows(folder: Path, tmp_path: Path) -> None:
    found = []
    for size, passes in ((8, 1), (4, 2)):
        model: Any = build("calm_bert", folder)
        sizes = {"per_device_train_batch_size": size, "gradient_accumulation_steps": passes}
        trainer(model, tmp_path, way=Way("size"), optim="sgd", max_steps=4, **sizes).train()
        found.append(tensors(model))
    for name, tensor in found[0].items():
        torch.testing.assert_close(tensor, found[1][name], rtol=1e-4, atol=1e-6)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "another order": ({"train_sampling_strategy": "random"}, "read by a .*RandomSampler"),
    "smoothing": ({"label_smoothing_factor": 0.1}, "label_smoothing_factor=0.1"),
    "workers that stay": (
        {"dataloader_num_workers": 1, "dataloader_persistent_workers": True},
        "dataloader_persistent_workers",
    ),
    "scaled gradients": ({"fp16": True}, "PCGrad and fp16"),
    "compiled": ({"torch_compile": True}, "PCGrad and torch_compile"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_would_be_another_run_is_refused(
    case: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments, words = REFUSED[case]
    model = build("bert", folder, pcgrad=True)
    run = trainer(model, tmp_path, **{k: v for k, v in arguments.items() if k not in LATER})
    for name in LATER & arguments.keys():  # a CPU refuses these before anybody is asked
        monkeypatch.setattr(run.args, name, arguments[name])
    run.callback_handler.model = model
    with pytest.raises(ConfigError, match=words):
        run.callback_handler.train_dataloader = run.get_train_dataloader()
        run.callback_handler.on_train_begin(run.args, run.state, run.control)


LATER = {"fp16", "torch_compile"}


def test_virtual_tokens_are_refused_under_pcgrad(folder: Path, tmp_path: Path) -> None:
    adapter = {"name": "prompt_tuning", "num_virtual_tokens": 2}
    model = apply_adapter(build("bert", folder, pcgrad=True), adapter)
    with pytest.raises(ConfigError, match="virtual tokens of a prompt"):
        trainer(model, tmp_path).train()


def test_rows_in_a_new_order_are_not_taken_from_the_prefix_cache(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TL_CACHE", str(tmp_path / "cache"))
    top = FreezingCallback(FreezingSchedule.top_layers(1))
    run = trainer(build("bert", folder), tmp_path, top, max_steps=2)
    cache = prefix_cache(run)
    run.train()
    (use,) = cache.uses
    assert "another row at the same place in each epoch" in use.reason


def test_rows_of_a_task_that_are_missing_and_a_sampling_that_is_unknown() -> None:
    some: Any = [{"labels": 0}]
    with pytest.raises(DataError, match="task b has no validation rows"):
        TaskRows({"a": some, "b": []})
    with pytest.raises(ConfigError, match="did you mean 'round_robin'"):
        TrainingRows({"a": some, "b": some}, Way("round-robin"))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"temperature 0\.5"):
        TrainingRows({"a": some, "b": some}, Way("temperature", 0.5))


def test_one_head_group_for_all(folder: Path) -> None:
    model: nn.Module = build("timm", folder)
    head = layer_groups(model).head
    assert head is not None and len(head.parameter_names) == 6
