"""Training on views: with and without the cache, gone on with, in workers, the same images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset

from hf_transfer_plugin import AugmentedImages, ObjectiveCallback, prefix_cache
from hf_transfer_plugin.adapt.objectives import L2SP
from hf_transfer_plugin.adapt.objectives.loss_term import Start
from hf_transfer_plugin.data import DomainPairs, DomainPairsCollator
from hf_transfer_plugin.errors import DataError
from tests.augmented_runs import (
    BATCH,
    EPOCHS,
    PHOTOGRAPHS,
    augmented,
    photographs,
    to_pixels,
    trainer,
)
from tests.callbacks.prefix_runs import EXACT, Done, gap, make, probe, train
from tests.callbacks.tiny import resnet

PER_EPOCH = PHOTOGRAPHS // BATCH
#: In the middle of the fourth epoch.
STOPPED = 3 * PER_EPOCH + 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the runs without a cache leave their checkpoints."""
    return tmp_path_factory.mktemp("plain")


@pytest.fixture(scope="module")
def plain(folder: Path) -> dict[int | None, Done]:
    """Return runs without a cache, by the number of views."""
    saved = {"save_strategy": "steps", "save_steps": STOPPED}
    return {
        views: train(trainer(folder / str(views), augmented(views), **saved), None)
        for views in (3, None)
    }


def _checkpoint(folder: Path, views: int | None) -> str:
    return str(folder / str(views) / "run" / f"checkpoint-{STOPPED}")


def test_views_differ_from_one_another(plain: dict[int | None, Done]) -> None:
    assert gap(plain[3].weights, plain[None].weights) > 1e-3


def test_from_the_cache_as_without(
    plain: dict[int | None, Done], folder: Path, tmp_path: Path
) -> None:
    """All views are computed once; another seed of order and head finds them; so does resuming."""
    done = train(trainer(tmp_path, augmented(3)), tmp_path / "cache")
    assert done.rows == 3 * PHOTOGRAPHS
    assert gap(plain[3].weights, done.weights) < EXACT
    assert train(trainer(tmp_path, augmented(3), seed=7), tmp_path / "cache").rows == 0
    run = trainer(tmp_path, augmented(3))
    resumed = train(run, tmp_path / "cache", resume=_checkpoint(folder, 3))
    assert resumed.rows == 0 and gap(plain[3].weights, resumed.weights) < EXACT
    # Views of another seed of the data are others.
    assert train(trainer(tmp_path, augmented(3, seed=1)), tmp_path / "cache").rows > 0


@pytest.mark.parametrize("views", [3, None])
def test_going_on_in_the_middle_of_an_epoch(
    views: int | None, plain: dict[int | None, Done], folder: Path, tmp_path: Path
) -> None:
    run = trainer(tmp_path, augmented(views))
    done = train(run, None, resume=_checkpoint(folder, views))
    assert gap(plain[views].weights, done.weights) == 0


def test_views_without_end_are_not_kept(plain: dict[int | None, Done], tmp_path: Path) -> None:
    done = train(trainer(tmp_path, augmented(None)), tmp_path / "cache")
    assert "a new view of each image in each epoch" in done.reason and "views: 4" in done.reason
    assert gap(plain[None].weights, done.weights) == 0


def test_few_epochs_of_many_views_are_not_kept(tmp_path: Path) -> None:
    done = train(trainer(tmp_path, augmented(EPOCHS)), tmp_path / "cache")
    assert "keeping them would cost more than it saves" in done.reason


def test_with_a_worker_that_lives_on(plain: dict[int | None, Done], tmp_path: Path) -> None:
    workers = {"dataloader_num_workers": 1, "dataloader_persistent_workers": True}
    done = train(trainer(tmp_path, augmented(3), **workers), None)
    assert gap(plain[3].weights, done.weights) == 0
    kept = train(trainer(tmp_path, augmented(3), **workers), tmp_path / "cache")
    assert kept.rows == 3 * PHOTOGRAPHS and gap(plain[3].weights, kept.weights) < EXACT


def test_one_view_is_a_fixed_set_of_changed_images(tmp_path: Path) -> None:
    rows, short = photographs(24), {"num_train_epochs": 4}
    changed = AugmentedImages(rows.with_format(None), "article", views=1, seed=3)
    items = changed.versions([(number, 0) for number in range(24)])
    stored = Dataset.from_list(items, features=rows.features).with_transform(to_pixels)
    fixed = train(trainer(tmp_path, stored, **short), None)
    one = AugmentedImages(rows, "article", views=1, seed=3)
    assert gap(fixed.weights, train(trainer(tmp_path, one, **short), None).weights) == 0
    cached = train(trainer(tmp_path, one, **short), tmp_path / "cache")
    assert cached.rows == 24 and gap(fixed.weights, cached.weights) < EXACT


def test_evaluation_is_that_of_the_images_as_they_are(tmp_path: Path) -> None:
    """A cache with views serves evaluation rows unchanged; changed ones it leaves alone."""
    losses = []
    for cache in (None, tmp_path / "cache"):
        run = trainer(tmp_path, augmented(2), learning_rate=0.0)
        run.eval_dataset = photographs(20)
        handle = prefix_cache(run, folder=cache) if cache else None
        run.train()
        losses.append(run.evaluate()["eval_loss"])
    still = make(tmp_path, model=resnet(), data=photographs(), evaluation=photographs(20))
    assert losses == pytest.approx([still.evaluate()["eval_loss"]] * 2, abs=EXACT)
    assert handle is not None and handle.uses[-1].before
    changed: Any = augmented(2, rows=20)
    changed.set_epoch(0)
    run.evaluate(changed)
    assert "the images of evaluation are augmented" in handle.uses[-1].reason


def test_who_forgets_the_callback_is_told(
    plain: dict[int | None, Done], folder: Path, tmp_path: Path
) -> None:
    """Accelerate tells the dataset each epoch but the one in which a run goes on."""
    given: dict[str, Any] = {"max_steps": -1, "num_train_epochs": EPOCHS}
    given["per_device_train_batch_size"] = BATCH
    run = make(tmp_path, probe(), model=resnet(), data=augmented(3), **given)
    with pytest.raises(DataError, match="AugmentationCallback"):
        run.train(resume_from_checkpoint=_checkpoint(folder, 3))


class _ReadsFirst(L2SP):
    """Keeps what it is given of the training rows before the first step."""

    def attach(self, start: Start) -> None:
        self.seen = torch.cat([batch["pixel_values"] for batch in start.batches()])
        super().attach(start)


def test_an_objective_that_reads_rows_first_reads_them_unchanged(tmp_path: Path) -> None:
    term = _ReadsFirst()
    data = augmented(2)
    trainer(tmp_path, data, ObjectiveCallback(term), max_steps=1).train()
    assert torch.equal(term.seen, torch.stack([row["pixel_values"] for row in photographs()]))
    assert data.view == 0


def test_pairs_of_domains_with_changed_sources(tmp_path: Path) -> None:
    """The source is changed, the target is not, and the cache says why it stays away."""
    source = augmented(2)
    source.set_epoch(0)
    pairs = DomainPairs(source, photographs())
    as_stored = photographs()[0]["pixel_values"]
    assert torch.equal(pairs.rows[PHOTOGRAPHS]["pixel_values"], as_stored)
    assert not torch.equal(pairs.rows[0]["pixel_values"], as_stored)

    def stack(rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        return {
            "pixel_values": torch.stack([row["pixel_values"] for row in rows]),
            "labels": torch.tensor([row["labels"] for row in rows]),
        }

    run = trainer(tmp_path, pairs, max_steps=2)
    run.data_collator = DomainPairsCollator(stack)
    handle = prefix_cache(run, folder=tmp_path / "cache")
    run.train()
    assert "the images of the source are augmented" in handle.uses[-1].reason
