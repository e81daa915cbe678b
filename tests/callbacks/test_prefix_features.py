"""The cache under features of Trainer and PEFT: as without it, or refused with a reason."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter
from transformers import BertForSequenceClassification, TrainerCallback

from hf_transfer_plugin import FreezingCallback, FreezingSchedule, prefix_cache
from tests.callbacks.prefix_cases import (
    ROWS,
    FrozenCalls,
    Recipe,
    Result,
    assert_equal,
    both,
    build,
    model_of,
    result_of,
    run,
)
from tests.callbacks.tiny import CHECKPOINTING, changed, tensors
from tests.layer_cases import bert

TOP = "bert.encoder.layer.1"
EPOCHS: dict[str, Any] = {"eval_strategy": "epoch", "save_strategy": "epoch"}
FEATURES: dict[str, dict[str, Any]] = {
    "accumulation": {"gradient_accumulation_steps": 2},
    "label smoothing": {"label_smoothing_factor": 0.1},
    "clipped gradients": {"max_grad_norm": 1e-3},
    "no clipping": {"max_grad_norm": 0.0},
    "bfloat16": {"bf16": True},
    "gradient checkpointing": {"gradient_checkpointing": True},
    "workers": {"dataloader_num_workers": 2},
    "lasting workers": {"dataloader_num_workers": 2, "dataloader_persistent_workers": True},
    "grouped by length": {"train_sampling_strategy": "group_by_length"},
    "sequential": {"train_sampling_strategy": "sequential"},
    "best model": {**EPOCHS, "load_best_model_at_end": True},
    "worst model": {
        **EPOCHS,
        "load_best_model_at_end": True,
        "metric_for_best_model": "loss",
        "greater_is_better": True,
    },
    "evaluated at each step": {"eval_strategy": "steps", "eval_steps": 1},
    "last batch dropped": {"per_device_train_batch_size": 5, "dataloader_drop_last": True},
    "odd last batch": {"per_device_train_batch_size": 5},
    "losses of evaluation alone": {"prediction_loss_only": True, "eval_strategy": "epoch"},
    "sgd": {"optim": "sgd", "learning_rate": 0.1},
}


def top(_: nn.Module) -> FreezingSchedule:
    return FreezingSchedule.top_layers(1)


def classifier(**arguments: Any) -> Recipe:
    return Recipe(partial(build, "bert"), top, arguments=arguments)


def assert_used(cached: Result, boundary: str = TOP) -> None:
    assert cached.cache is not None
    (use,) = cached.cache.uses
    assert (use.step, use.before, use.reason, use.rows) == (0, boundary, "", ROWS)
    assert cached.calls.steps and not any(cached.calls.steps)


@pytest.fixture
def ended_workers() -> Iterator[None]:
    """End lasting workers while their queues still work: a later collection waits 5 s for each."""
    yield
    for each in gc.get_objects():
        if type(each) is _MultiProcessingDataLoaderIter:
            each._shutdown_workers()


@pytest.mark.parametrize("name", FEATURES)
def test_a_feature(name: str, tmp_path: Path, ended_workers: None) -> None:
    plain, cached = both(classifier(**FEATURES[name]), tmp_path)
    assert_used(cached)
    assert all(plain.calls.steps)
    lost = [e["eval_loss"] for e in plain.trainer.state.log_history if "eval_loss" in e]
    same = [e["eval_loss"] for e in cached.trainer.state.log_history if "eval_loss" in e]
    assert same == pytest.approx(lost, abs=1e-5)
    assert len(lost) == {"epoch": 3, "steps": 7}.get(FEATURES[name].get("eval_strategy", ""), 1)


def test_table_is_whole() -> None:
    assert len(FEATURES) == 17


@pytest.mark.parametrize("name", ["opt", "gpt2", "vit", "distilbert"])
def test_checkpointed_layers_run_again_with_what_they_were_fed(name: str, tmp_path: Path) -> None:
    """A second forward in the backward pass must not see the stand-ins of the first."""
    kind = "image" if name == "vit" else "text"
    case = Recipe(
        partial(build, name),
        lambda _: FreezingSchedule.top_layers(2),
        kind,
        {"gradient_checkpointing": True},
    )
    plain, cached = both(case, tmp_path)
    assert cached.cache is not None
    (use,) = cached.cache.uses
    if name == "opt" and CHECKPOINTING == "gradient_checkpointing":  # before transformers 5.23
        assert "gradients differ" in use.reason
        return
    assert use.reason == "" and use.rows == ROWS


def test_several_datasets_of_evaluation(tmp_path: Path) -> None:
    case = classifier(eval_strategy="epoch")
    case.several = True
    plain, cached = both(case, tmp_path)
    assert_used(cached)
    assert {"eval_a_loss", "eval_b_loss"} <= cached.metrics.keys()
    assert cached.metrics["eval_a_loss"] != cached.metrics["eval_b_loss"]
    # Two epochs and one evaluation after them, of two datasets, then a prediction: each of three
    # batches. Each dataset is filled before its first batch.
    filled = [n for n, ran in enumerate(cached.calls.predictions) if ran]
    assert len(cached.calls.predictions) == 3 * 2 * 3 + 3
    assert filled == [0, 3, 18]
    assert all(plain.calls.predictions)


def test_resumed_amid_an_epoch(tmp_path: Path) -> None:
    case = classifier(save_strategy="steps", save_steps=1, num_train_epochs=3)
    plain, whole = both(case, tmp_path)
    assert_used(whole)
    for step in (1, 4, 6):
        trainer, cache = case.trainer(tmp_path / "again", True)
        calls = FrozenCalls(model_of(trainer))
        trainer.add_callback(calls)
        trainer.train(resume_from_checkpoint=str(tmp_path / "cached" / f"checkpoint-{step}"))
        assert trainer.state.global_step == 9 and len(calls.steps) == 9 - step
        assert not changed(whole.weights, tensors(model_of(trainer))), f"resumed at step {step}"
        assert cache is not None
        assert [(use.before, use.rows) for use in cache.uses] == [(TOP, 0)]
        assert not any(calls.steps)
        # Nothing is filled again: what runs before the first step are the checks.
        assert step in calls.fills


def test_trained_a_second_time(tmp_path: Path) -> None:
    case, results = classifier(), []
    for cached in (False, True):
        trainer, cache = case.trainer(tmp_path / str(cached), cached)
        calls = FrozenCalls(model_of(trainer))
        trainer.add_callback(calls)
        trainer.train()
        trainer.train()
        results.append(result_of(trainer, cache, calls, case))
    plain, twice = results
    assert_equal(plain, twice)
    assert len(twice.calls.steps) == 12 and not any(twice.calls.steps)
    assert twice.cache is not None
    assert [(use.before, use.rows) for use in twice.cache.uses] == [(TOP, 0)]


class Copies(TrainerCallback):
    """Copies, saves and asks the model by hand while it trains."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.answers: list[torch.Tensor] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        model = kwargs["model"]
        copied = deepcopy(model)
        model.save_pretrained(self.folder / str(state.global_step))
        saved = BertForSequenceClassification.from_pretrained(self.folder / str(state.global_step))
        ids = torch.tensor([[5, 6, 7, 8], [9, 8, 0, 0]])
        given = {"input_ids": ids, "attention_mask": (ids > 0).long()}
        found = []
        with torch.no_grad():
            for each in (model, copied, saved):
                before = each.training
                each.eval()
                found.append(each(**given).logits)
                each.train(before)
        for answer in found[1:]:
            torch.testing.assert_close(answer, found[0], rtol=0, atol=1e-7)
        assert not changed(tensors(model), tensors(copied))
        self.answers.append(found[0])


def test_copied_saved_and_called_by_hand_in_training(tmp_path: Path) -> None:
    answers, results = [], []
    for cached in (False, True):
        case = classifier()
        hand = Copies(tmp_path / f"saved-{cached}")
        case.callbacks = lambda hand=hand: [hand]  # type: ignore[misc]
        # No counting of calls: a copy would share the counters.
        trainer, cache = case.trainer(tmp_path / str(cached), cached)
        trainer.train()
        answers.append(torch.stack(hand.answers))
        results.append(tensors(model_of(trainer)))
    assert cache is not None and [use.rows for use in cache.uses] == [ROWS]
    assert answers[0].shape == (6, 2, 3)
    torch.testing.assert_close(answers[1], answers[0], rtol=0, atol=1e-5)
    assert max(float((a - results[1][n]).abs().max()) for n, a in results[0].items()) <= 1e-5


def adapted(dropout: float, lora_dropout: float = 0.0) -> nn.Module:
    """Return a BERT with LoRA in its last layer alone."""
    from peft import LoraConfig, TaskType, get_peft_model

    torch.manual_seed(0)
    config = bert(hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout)
    lora = LoraConfig(
        task_type=TaskType.SEQ_CLS,
        r=2,
        lora_dropout=lora_dropout,
        target_modules=["query", "value"],
        layers_to_transform=[1],
    )
    return get_peft_model(BertForSequenceClassification(config), lora)


ADAPTED = "base_model.model.bert.encoder.layer.1"


def full(_: nn.Module) -> FreezingSchedule:
    return FreezingSchedule.full()


def test_adapters_of_the_last_layer_without_dropout(tmp_path: Path) -> None:
    plain, cached = both(Recipe(partial(adapted, 0.0, 0.2)), tmp_path)
    assert cached.cache is not None
    (use,) = cached.cache.uses
    assert (use.before, use.reason, use.rows) == (ADAPTED, "", ROWS)
    ran = {name for each in plain.calls.steps for name in each}
    below = {n for n in ran if "layer.1" not in n and "pooler" not in n}
    assert len(below) > 5 and not below & set.union(*cached.calls.steps)


@pytest.mark.parametrize("schedule", [None, full], ids=["by hand", "with the callback"])
def test_adapters_of_the_last_layer_with_dropout(
    schedule: Callable[[nn.Module], FreezingSchedule] | None, tmp_path: Path
) -> None:
    """PEFT leaves dropout on in what it froze, and a schedule that trains all leaves it so."""
    plain, cached = both(Recipe(partial(adapted, 0.1), schedule), tmp_path, tolerance=0.0)
    assert cached.cache is not None
    (use,) = cached.cache.uses
    assert (use.before, use.rows) == ("", 0)
    assert "dropout is on" in use.reason
    assert plain.calls.steps == cached.calls.steps


def test_adapters_with_dropout_under_a_schedule(tmp_path: Path) -> None:
    """The callback holds still what is below the layers that it trains."""
    case = Recipe(partial(adapted, 0.1), top)
    plain, cached = both(case, tmp_path)
    assert cached.cache is not None
    (use,) = cached.cache.uses
    assert (use.before, use.reason, use.rows) == (ADAPTED, "", ROWS)
    assert any(isinstance(c, FreezingCallback) for c in plain.trainer.callback_handler.callbacks)


@pytest.mark.parametrize("cached", [False, True])
def test_stand_ins_of_images_are_not_pinned(cached: bool, tmp_path: Path) -> None:
    """Torch pins no tensor whose elements share one place in memory."""
    pinned: list[bool] = []

    class Watching(TrainerCallback):
        def on_step_begin(self, *_: Any, **given: Any) -> None:
            pinned.append(given["train_dataloader"].pin_memory)

        def on_evaluate(self, *_: Any, **given: Any) -> None:
            pinned.append(given["eval_dataloader"].pin_memory)

    case = Recipe(
        partial(build, "timm-efficientnet"),
        lambda _: FreezingSchedule.linear_probe(),
        kind="image",
        classes=2,
        arguments={"eval_strategy": "epoch"},
        callbacks=lambda: [Watching()],
    )
    trainer, cache = case.trainer(tmp_path / "run", cached)
    trainer.args.dataloader_pin_memory = True  # as it is wherever the processor does not train
    trainer.train()
    assert len(pinned) > 2 and set(pinned) == {not cached}
    assert trainer.args.dataloader_pin_memory
    assert cache is None or [use.reason for use in cache.uses] == [""]


def test_removed_it_leaves_nothing(tmp_path: Path) -> None:
    case = classifier()
    trainer, cache = case.trainer(tmp_path / "cached", True)
    trainer.train()
    assert cache is not None
    cache.remove()
    assert not any("dataloader" in name for name in vars(trainer))
    model = model_of(trainer)
    assert not model._forward_hooks and not model._forward_pre_hooks
    assert cache not in trainer.callback_handler.callbacks
    again = prefix_cache(trainer, folder=tmp_path / "cache")
    trainer.train()
    assert [(use.before, use.rows) for use in again.uses] == [(TOP, 0)]


def test_a_plain_run_is_repeatable(tmp_path: Path) -> None:
    """What all comparisons stand on."""
    first = run(classifier(), tmp_path / "1", False)
    second = run(classifier(), tmp_path / "2", False)
    assert_equal(first, second, 0.0)
