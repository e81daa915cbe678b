"""Where frozen layers cannot come from a cache: the reason is said, the run is that without one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import MethodType
from typing import Any

import pytest
import torch
from datasets import Dataset
from torch import nn
from torchvision.transforms import RandomErasing
from transformers import DataCollatorForLanguageModeling, Trainer

from hf_transfer_plugin import FreezingCallback, FreezingSchedule, prefix_cache
from hf_transfer_plugin.checkpoints import Checkpoint
from hf_transfer_plugin.errors import ConfigError
from tests.callbacks.prefix_runs import (
    EXACT,
    STEPS,
    Done,
    Pad,
    Pixels,
    gap,
    make,
    pictures,
    probe,
    sentences,
    train,
)
from tests.callbacks.tiny import bert, masked_bert, resnet

WARNING = "the frozen layers are computed in every epoch"


class OwnLoss(Trainer):
    """As people write it: also looks at the inputs."""

    def compute_loss(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        loss = super().compute_loss(model, inputs, *args, **kwargs)
        return loss * inputs["input_ids"].float().mean() / 20


class OwnStep(Trainer):
    """Reads the inputs before the model does."""

    def training_step(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        inputs["input_ids"] = inputs["input_ids"].roll(1, 0)
        return super().training_step(model, inputs, *args, **kwargs)


class OwnInputs(Trainer):
    """Changes pictures on the device of the model."""

    def _prepare_inputs(self, inputs: Any) -> Any:
        inputs = super()._prepare_inputs(inputs)
        return {**inputs, "pixel_values": inputs["pixel_values"].flip(-1) * 3 - 1}


def _loss_of_instance(folder: Path) -> Trainer:
    run = make(folder, probe(), model=resnet(), data=pictures())
    own = run.compute_loss

    def loss(self: Trainer, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        return own(model, inputs, *args, **kwargs) * inputs["pixel_values"].square().mean()

    run.compute_loss = MethodType(loss, run)  # type: ignore[method-assign]
    return run


class Stream(torch.utils.data.IterableDataset[Any]):
    """The sentences as a stream."""

    def __iter__(self) -> Iterator[Any]:
        yield from sentences()


class Small(DataCollatorForLanguageModeling):
    """Keeps the numbers of words within the vocabulary of the tiny model."""

    def __call__(self, features: Any, return_tensors: Any = None) -> Any:
        batch = super().__call__(features, return_tensors)
        ids, labels = batch["input_ids"] % 40, batch["labels"]
        return {"input_ids": ids, "labels": torch.where(labels < 0, labels, labels % 40)}


def _masked(folder: Path) -> Trainer:
    model: Any = masked_bert()
    model.bert.requires_grad_(False)
    model.bert.encoder.layer[1].requires_grad_(True)
    tokens = [(each * 4)[:8] for each in sentences()["input_ids"]]
    collate = Small(Checkpoint("sample:minilm").tokenizer())
    return make(folder, model=model, data=Dataset.from_dict({"input_ids": tokens}), collate=collate)


def _by_hand(folder: Path, **arguments: Any) -> Trainer:
    model: Any = bert()
    model.bert.requires_grad_(False)
    return make(folder, model=model, **arguments)


def _normalization(kind: Any) -> Callable[[Path], Trainer]:
    def made(folder: Path) -> Trainer:
        callback = FreezingCallback(FreezingSchedule.linear_probe(), frozen_normalization=kind)
        return make(folder, callback, model=resnet(), data=pictures())

    return made


def _augmented(folder: Path) -> Trainer:
    data = pictures()
    data.set_transform(Pixels(change=RandomErasing(0.5)))
    return make(folder, probe(), model=resnet(), data=data)


def _of(**given: Any) -> Callable[[Path], Trainer]:
    return lambda folder: make(folder, probe(), **given)


def _short(folder: Path) -> Trainer:
    return make(folder, probe(), max_steps=5)


@dataclass(frozen=True)
class Refusal:
    """A Trainer, and what must be said of it.

    Attributes:
        make: makes it in a folder.
        said: parts of the reason.
    """

    make: Callable[[Path], Trainer]
    said: tuple[str, ...]


REFUSALS: dict[str, Refusal] = {
    "stream": Refusal(
        lambda folder: make(folder, probe(), data=Stream(), collate=Pad()),
        ("Stream", "is a stream", "use a dataset with a length"),
    ),
    "masked words": Refusal(_masked, ("collator draws random numbers (torch)", "only pads")),
    "own loss": Refusal(_of(kind=OwnLoss), ("OwnLoss has its own compute_loss", "leaves out")),
    "own step": Refusal(_of(kind=OwnStep), ("OwnStep has its own training_step", "leaves out")),
    "own inputs": Refusal(
        lambda folder: make(folder, probe(), kind=OwnInputs, model=resnet(), data=pictures()),
        ("OwnInputs has its own _prepare_inputs", "leaves out"),
    ),
    "loss of an instance": Refusal(_loss_of_instance, ("its own compute_loss", "leaves out")),
    "dropout by hand": Refusal(_by_hand, ("dropout is on", "FreezingCallback")),
    "dropout kept": Refusal(
        lambda folder: make(
            folder, FreezingCallback(FreezingSchedule.linear_probe(), frozen_dropout=True)
        ),
        ("dropout is on",),
    ),
    "normalization by the batch": Refusal(
        _normalization("train"), ("other rows of its batch", "batch normalization")
    ),
    "normalization kept": Refusal(
        _normalization("keep"), ("other rows of its batch", "batch normalization")
    ),
    "augmentation": Refusal(_augmented, ("the data are random", "pixel_values", "use views=K")),
    "noise of NEFTune": Refusal(
        lambda folder: _by_hand(folder, neftune_noise_alpha=5.0), ("other values each time",)
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_trains_as_without_and_says_why(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plain = train(REFUSALS[name].make(tmp_path), None)
    with caplog.at_level(logging.WARNING, logger="hf_transfer_plugin"):
        done = train(REFUSALS[name].make(tmp_path), tmp_path / "cache")
    assert gap(plain.weights, done.weights) == 0
    assert plain.losses == done.losses
    assert all(part in done.reason for part in REFUSALS[name].said), done.reason
    warned = [each.getMessage() for each in caplog.records if WARNING in each.getMessage()]
    assert len(warned) == 1 and done.reason in warned[0]


def test_table() -> None:
    assert len(REFUSALS) == 12


@pytest.mark.parametrize("size", [(), (1,)], ids=["empty", "one row"])
def test_odd_evaluation_sets(size: tuple[int, ...], tmp_path: Path) -> None:
    """An evaluation without rows is Trainer's own affair, whether it can do it or not."""
    found = []
    for cache in (None, tmp_path / "cache"):
        run = make(tmp_path, probe(), evaluation=sentences().select(range(sum(size))))
        done = train(run, cache)
        try:
            metrics = run.evaluate()
        except Exception as error:  # whatever Trainer raises, it must stay the same
            found.append((repr(error), done))
        else:
            kept = {key: value for key, value in metrics.items() if "loss" in key}
            found.append((repr(sorted(kept)), done))
    (before, plain), (after, done) = found
    assert before == after
    assert gap(plain.weights, done.weights) < EXACT and done.rows > 0


def test_one_row(tmp_path: Path) -> None:
    """One example in every step: kept or refused, the weights are the same."""
    one = sentences().select(range(1))
    plain, done = (
        train(make(tmp_path, probe(), data=one, collate=Pad(), max_steps=8), cache)
        for cache in (None, tmp_path / "cache")
    )
    assert gap(plain.weights, done.weights) < EXACT
    assert done.uses and (done.uses[0].rows == 1 or done.uses[0].reason)


def test_torch_compile_is_named(tmp_path: Path) -> None:
    run = _compiled(make(tmp_path, probe()))
    handle = prefix_cache(run, folder=tmp_path / "cache")
    run.get_train_dataloader()
    assert "torch_compile is on" in handle.uses[-1].reason
    assert not (tmp_path / "cache").exists()


def _compiled(run: Trainer) -> Trainer:
    run.args.torch_compile = True
    return run


def test_a_reason_found_before_training_is_still_there_after_it(tmp_path: Path) -> None:
    assert (
        "is a stream"
        in train(make(tmp_path, probe(), data=Stream(), collate=Pad()), tmp_path / "cache").reason
    )


def _evaluated(folder: Path, cache: Path | None, **arguments: Any) -> tuple[Any, Done]:
    def measure(prediction: Any) -> dict[str, float]:
        inputs = prediction.inputs
        return {"sum": float(inputs[inputs > 0].sum()) if inputs is not None else -1.0}

    run = make(folder, probe(), evaluation=sentences(300, seed=1), **arguments)
    run.compute_metrics = measure
    handle = prefix_cache(run, folder=cache) if cache is not None else None
    run.train()
    metrics = run.evaluate()
    uses = list(handle.uses) if handle is not None else []
    return {k: metrics[k] for k in ("eval_sum", "eval_loss")}, Done({}, 0.0, [], uses)


def test_metrics_that_read_the_inputs(tmp_path: Path) -> None:
    given: dict[str, Any] = {"include_for_metrics": ["inputs"]}
    plain, _ = _evaluated(tmp_path, None, **given)
    found, done = _evaluated(tmp_path, tmp_path / "cache", **given)
    assert plain["eval_sum"] == found["eval_sum"] > 0
    assert plain["eval_loss"] == pytest.approx(found["eval_loss"], abs=EXACT)
    # The training set is kept all the same.
    assert done.uses[0].rows > 0 and "include_for_metrics" in done.uses[-1].reason


def test_noise_of_neftune_is_off_where_a_callback_froze(tmp_path: Path) -> None:
    """The hook adds noise in training mode alone, and frozen layers are in evaluation mode."""
    plain, done = (
        train(make(tmp_path, probe(), neftune_noise_alpha=50.0), cache)
        for cache in (None, tmp_path / "cache")
    )
    assert done.rows == 600
    assert gap(plain.weights, done.weights) < EXACT


def test_plain_fine_tuning_is_quiet(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is frozen, so nothing is computed needlessly: no reason to warn."""
    plain = train(make(tmp_path), None)
    with caplog.at_level(logging.WARNING, logger="hf_transfer_plugin"):
        done = train(make(tmp_path), tmp_path / "cache")
    assert gap(plain.weights, done.weights) == 0
    assert "embeddings trains" in done.reason
    assert [each.getMessage() for each in caplog.records] == []


def test_a_run_too_short_is_quiet(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A cache would cost more than it saves: that is no mistake of anyone."""
    plain = train(_short(tmp_path), None)
    with caplog.at_level(logging.WARNING, logger="hf_transfer_plugin"):
        done = train(_short(tmp_path), tmp_path / "cache")
    assert gap(plain.weights, done.weights) == 0 and plain.losses == done.losses
    said = ("250 rows are read", "of 600", "cost more than it saves")
    assert all(part in done.reason for part in said)
    assert [each.getMessage() for each in caplog.records] == []


def test_the_last_phase_of_a_schedule_is_quiet(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A schedule that ends with the whole model is what most people train."""
    made = [
        make(tmp_path, FreezingCallback(FreezingSchedule.lp_ft(0.5)), learning_rate=1e-2)
        for _ in range(2)
    ]
    for run in made:
        without_dropout(run)
    plain = train(made[0], None)
    with caplog.at_level(logging.WARNING, logger="hf_transfer_plugin"):
        done = train(made[1], tmp_path / "cache")
    assert [bool(use.before) for use in done.uses] == [True, False]
    assert done.uses[0].rows == 600 and done.uses[1].step == STEPS // 2
    assert gap(plain.weights, done.weights) < 10 * EXACT
    assert [each.getMessage() for each in caplog.records if WARNING in each.getMessage()] == []


def without_dropout(run: Trainer) -> None:
    for module in run.model.modules():  # type: ignore[union-attr]
        if isinstance(module, nn.Dropout):
            module.p = 0.0


class Rare(nn.Module):
    """Two frozen layers; the second is silent but for sentences that begin with one word."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body, self.alarm = nn.Linear(40, 8), nn.Linear(1, 8)
        nn.init.zeros_(self.alarm.bias)
        self.head = nn.Linear(16, 2)

    def forward(self, input_ids: Any, attention_mask: Any, labels: Any) -> Any:
        counted = nn.functional.one_hot(input_ids, 40) * attention_mask[..., None]
        first = (input_ids[:, :1] == 7).float() * 3
        known = torch.cat([self.body(counted.sum(1) / 4), self.alarm(first)], 1)
        logits = self.head(known)
        return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}


class Head(nn.Module):
    """A head with two inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(8, 2), nn.Linear(8, 2)

    def forward(self, known: Any, alarm: Any) -> Any:
        return self.one(known) + self.two(alarm)


class RareAlone(Rare):
    """Hands both on apart."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.head = Head()  # type: ignore[assignment]

    def forward(self, input_ids: Any, attention_mask: Any, labels: Any) -> Any:
        counted = nn.functional.one_hot(input_ids, 40) * attention_mask[..., None]
        first = (input_ids[:, :1] == 7).float() * 3
        logits = self.head(self.body(counted.sum(1) / 4), self.alarm(first))
        return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}


@pytest.mark.parametrize("kind", [Rare, RareAlone])
def test_what_is_silent_on_a_few_rows_is_kept_all_the_same(
    kind: type[nn.Module], tmp_path: Path
) -> None:
    plain, done = (
        train(make(tmp_path, probe(), model=kind()), cache) for cache in (None, tmp_path / "cache")
    )
    assert done.rows == 600
    assert gap(plain.weights, done.weights) < EXACT


class Listed:
    """A dataset that is only a list."""

    @staticmethod
    def of() -> list[Any]:
        return list(sentences())


def test_a_list_as_dataset(tmp_path: Path) -> None:
    plain, done = (
        train(make(tmp_path, probe(), data=Listed.of(), collate=Pad()), cache)
        for cache in (None, tmp_path / "cache")
    )
    assert done.rows == 600
    assert gap(plain.weights, done.weights) < EXACT


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "storage of no type": ({"storage": "fp16"}, "storage='fp16'"),
    "storage as it is": ({"storage": "float32"}, "storage='float32'"),
    "storage as a number": ({"storage": 16}, "storage=16"),
    "no views": ({"views": 0}, "views=0"),
    "views below": ({"views": -3}, "views=-3"),
    "half a view": ({"views": 1.5}, "views=1.5"),
    "views as text": ({"views": "4"}, "views='4'"),
    "views as truth": ({"views": True}, "views=True"),
    "budget as words": ({"budget": "plenty"}, "'plenty'"),
    "budget without a unit": ({"budget": "20"}, "'20'"),
    "budget of nothing": ({"budget": 0}, "size 0"),
    "budget below": ({"budget": "-1GB"}, "'-1GB'"),
    "budget as a fraction": ({"budget": 1.5}, "1.5"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_values_are_refused_at_the_call(name: str, tmp_path: Path) -> None:
    run = make(tmp_path, probe())
    before = dict(vars(run)), list(run.callback_handler.callbacks)
    options, arrived = WRONG[name]
    with pytest.raises(ConfigError) as caught:
        prefix_cache(run, folder=tmp_path / "cache", **options)
    assert arrived in caught.value.arrived and caught.value.expected and caught.value.action
    assert (dict(vars(run)), list(run.callback_handler.callbacks)) == before
    assert not (tmp_path / "cache").exists()


def test_table_of_wrong_values() -> None:
    assert len(WRONG) == 13
