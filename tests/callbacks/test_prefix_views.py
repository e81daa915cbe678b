"""With random augmentation, K fixed views of each example take turns, epoch by epoch."""

from __future__ import annotations

import logging
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.transforms import v2
from transformers import Trainer, TrainerCallback
from transformers.trainer_utils import set_seed

from hf_transfer_plugin import prefix_cache
from hf_transfer_plugin.callbacks.served_rows import ROWS_KEY
from hf_transfer_plugin.random_states import seed_everything
from tests.callbacks.prefix_runs import (
    BATCH,
    EXACT,
    Done,
    Pixels,
    again,
    gap,
    make,
    pictures,
    probe,
    train,
    warnings_of,
)
from tests.callbacks.tiny import resnet

VIEWS = 4
EXAMPLES = 300
EPOCHS = 2 * VIEWS  # to keep K views costs as much as K epochs
PER_EPOCH = EXAMPLES // BATCH
AUGMENT = v2.Compose(
    [v2.RandomHorizontalFlip(), v2.RandomResizedCrop(32, scale=(0.3, 1.0), antialias=True)]
)


class Tensors(torch.utils.data.Dataset[Any]):
    """The same as a torch dataset; numpy and Python draw, too."""

    def __init__(self) -> None:
        data = pictures(EXAMPLES)[:]
        self.pixels, self.labels = data["pixel_values"], data["labels"]

    def __len__(self) -> int:
        return EXAMPLES

    def __getitem__(self, number: int) -> dict[str, Any]:
        pixels = AUGMENT(self.pixels[number]) * random.uniform(0.8, 1.2) + np.random.rand() / 10
        return {"pixel_values": pixels.float(), "labels": self.labels[number]}


def _arrow() -> Any:
    data = pictures(EXAMPLES)
    data.set_transform(Pixels(change=AUGMENT))
    return data


KINDS: dict[str, Callable[[], Any]] = {"datasets": _arrow, "torch": Tensors}


class Seen(TrainerCallback):
    """Notes which rows the model was given in which epoch, and their activations."""

    def __init__(self) -> None:
        self.rows: list[list[int]] = []
        self.inputs: dict[int, torch.Tensor] = {}
        self.labels: dict[int, int] = {}
        self._now: list[int] = []

    def watch(self, run: Trainer) -> None:
        model: Any = run.model

        # Before the hook of the cache, which takes the numbers away.
        def before(module: nn.Module, args: Any, kwargs: dict[str, Any]) -> None:
            if ROWS_KEY in kwargs and self.rows:
                self._now = kwargs[ROWS_KEY][:, 1].tolist()
                self.rows[-1] += self._now
                self.labels.update(zip(self._now, kwargs["labels"].tolist(), strict=True))

        def head(module: nn.Module, args: Any) -> None:
            now, self._now = self._now, []
            if now:  # not a probe of the cache
                self.inputs.update(zip(now, args[0].detach().clone(), strict=True))

        model.register_forward_pre_hook(before, prepend=True, with_kwargs=True)
        model.classifier.register_forward_pre_hook(head)

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.rows.append([])


def _run(
    folder: Path, kind: str, *callbacks: TrainerCallback, epochs: int = EPOCHS, **given: Any
) -> Trainer:
    return make(
        folder,
        probe(),
        *callbacks,
        model=resnet(),
        data=KINDS[kind](),
        **({"max_steps": -1, "num_train_epochs": epochs} | given),
    )


def _seen(run: Trainer, cache: Path, seen: Seen, **options: Any) -> Done:
    """Train; the hooks of `seen` come before those of the cache, which attaches at the start."""
    handle = prefix_cache(run, folder=cache, views=VIEWS, **options)

    class First(TrainerCallback):
        def on_train_begin(self, *args: Any, **kwargs: Any) -> None:
            seen.watch(run)

    run.add_callback(First())
    return again(run, handle)


@pytest.mark.parametrize("kind", KINDS)
def test_one_view_is_refused(kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    plain = train(_run(tmp_path, kind), None)
    with caplog.at_level(logging.WARNING):
        done = train(_run(tmp_path, kind), tmp_path / "cache")
    assert "the data are random" in done.reason and "use views=K" in done.reason
    assert [done.reason in text for text in warnings_of(caplog)] == [True]
    assert gap(plain.weights, done.weights) == 0 and plain.losses == done.losses


def _assert_turns(seen: Seen) -> None:
    """In K epochs each example shows each of its views once."""
    assert len(seen.rows) == EPOCHS
    for start in (0, VIEWS):
        turn = [row for epoch in seen.rows[start : start + VIEWS] for row in epoch]
        assert sorted(turn) == list(range(VIEWS * EXAMPLES))


@pytest.mark.parametrize("kind", KINDS)
def test_views_take_turns(kind: str, tmp_path: Path) -> None:
    seen = Seen()
    done = _seen(_run(tmp_path, kind, seen), tmp_path / "cache", seen)
    assert done.rows == VIEWS * EXAMPLES
    assert len(seen.rows) == EPOCHS
    for epoch in seen.rows:
        assert sorted(row // VIEWS for row in epoch) == list(range(EXAMPLES))
        # In an epoch each number of a view is as frequent as another.
        counts = Counter(row % VIEWS for row in epoch)
        assert len(counts) == VIEWS and min(counts.values()) > EXAMPLES // VIEWS // 2
    _assert_turns(seen)
    assert {row: row // VIEWS % 2 for row in seen.labels} == seen.labels


@pytest.mark.parametrize("kind", KINDS)
def test_views_are_what_the_transform_gives_under_its_seed(kind: str, tmp_path: Path) -> None:
    seen, data = Seen(), KINDS[kind]()
    run = _run(tmp_path, kind, seen)
    _seen(run, tmp_path / "cache", seen)
    assert len(seen.inputs) == VIEWS * EXAMPLES
    model: Any = resnet().eval()
    for row in range(0, VIEWS * EXAMPLES, 37):
        seed_everything(run.args.seed, *divmod(row, VIEWS))
        pixels = data[row // VIEWS]["pixel_values"][None]
        with torch.no_grad():
            expected = model.resnet(pixels).pooler_output[0]
        torch.testing.assert_close(seen.inputs[row], expected, rtol=0, atol=EXACT)
    # Views of one example differ.
    first = torch.stack([seen.inputs[view].flatten() for view in range(VIEWS)])
    assert float((first[1:] - first[0]).abs().max(1).values.min()) > 1e-4


@pytest.mark.parametrize("kind", KINDS)
def test_a_second_run_and_a_resumed_one_see_the_same(kind: str, tmp_path: Path) -> None:
    saved = {"save_strategy": "steps", "save_steps": PER_EPOCH * 2 - 3}
    seen = [Seen(), Seen(), Seen()]
    whole = _seen(_run(tmp_path, kind, seen[0], **saved), tmp_path / "cache", seen[0])
    second = _seen(_run(tmp_path, kind, seen[1]), tmp_path / "cache", seen[1])
    assert (whole.rows, second.rows) == (VIEWS * EXAMPLES, 0)
    assert gap(whole.weights, second.weights) == 0 and seen[0].rows == seen[1].rows
    checkpoint = str(tmp_path / "run" / f"checkpoint-{PER_EPOCH * 2 - 3}")
    run = _run(tmp_path, kind, seen[2])
    handle = prefix_cache(run, folder=tmp_path / "cache", views=VIEWS)

    class First(TrainerCallback):
        def on_train_begin(self, *args: Any, **kwargs: Any) -> None:
            seen[2].watch(run)

    run.add_callback(First())
    run.train(resume_from_checkpoint=checkpoint)
    model: Any = run.model
    final = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    final = {name: value.detach() for name, value in final.items()}
    assert gap(final, whole.weights) == 0
    assert handle.uses[0].rows == 0 and handle.uses[0].before
    rest = seen[2].rows
    assert rest[0] == seen[0].rows[1][-len(rest[0]) :] and rest[1:] == seen[0].rows[2:]


def test_resumed_with_another_count_of_processed_batches(tmp_path: Path) -> None:
    """Accumulation ends an epoch with a part of a step: the turn of the views follows epochs."""
    seen = Seen()
    given = {"gradient_accumulation_steps": 4}  # 6 batches are 2 steps
    done = _seen(_run(tmp_path, "torch", seen, **given), tmp_path / "cache", seen)
    assert done.rows == VIEWS * EXAMPLES
    _assert_turns(seen)


def test_with_workers(tmp_path: Path) -> None:
    """Workers are told which epoch it is, also those that live on."""
    seen = Seen()
    given = {"dataloader_num_workers": 1, "dataloader_persistent_workers": True}
    _seen(_run(tmp_path, "torch", seen, **given), tmp_path / "cache", seen)
    _assert_turns(seen)


@pytest.mark.parametrize("kind", KINDS)
def test_another_seed_gives_other_views(kind: str, tmp_path: Path) -> None:
    found = []
    for seed in (42, 43):
        seen = Seen()
        done = _seen(_run(tmp_path, kind, seen, seed=seed), tmp_path / "cache", seen)
        assert done.rows == VIEWS * EXAMPLES
        found.append(torch.stack([seen.inputs[row] for row in range(VIEWS * EXAMPLES)]).flatten(1))
    same = (found[0] - found[1]).abs().max(1).values < 1e-6
    assert float(same.float().mean()) < 0.01


def test_more_views_are_another_entry(tmp_path: Path) -> None:
    """And no views are none: what was kept as views is not taken for the data themselves."""
    for views in (2, 3):
        done = train(_run(tmp_path, "torch"), tmp_path / "cache", views=views)
        assert done.rows == views * EXAMPLES
    again_three = train(_run(tmp_path, "torch"), tmp_path / "cache", views=3)
    assert again_three.rows == 0 and gap(again_three.weights, done.weights) == 0


def test_random_numbers_are_those_of_a_run_without(tmp_path: Path) -> None:
    """Filling draws none that the run would miss: the order of examples is the same."""
    seen = Seen()
    _seen(_run(tmp_path, "torch", seen), tmp_path / "cache", seen)
    set_seed(0)
    second = Seen()
    _seen(_run(tmp_path, "torch", second), tmp_path / "cache", second)
    orders = [[[row // VIEWS for row in epoch] for epoch in each.rows] for each in (seen, second)]
    assert orders[0] == orders[1]
    assert len({tuple(epoch) for epoch in orders[0]}) == EPOCHS


def test_evaluation_with_augmentation_is_refused(tmp_path: Path) -> None:
    """Views are for training: metrics of a random evaluation stay as they are."""
    run = _run(tmp_path, "torch")
    run.eval_dataset = Tensors()
    handle = prefix_cache(run, folder=tmp_path / "cache", views=VIEWS)
    run.train()
    run.evaluate()
    assert handle.uses[0].before
    assert "evaluation: the data are random" in handle.uses[-1].reason


def test_table_of_kinds() -> None:
    assert len(KINDS) == 2
