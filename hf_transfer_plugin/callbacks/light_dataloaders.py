"""Dataloaders of a Trainer that carry row numbers, so that rows can come from elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import datasets
from transformers import Trainer

from hf_transfer_plugin.callbacks.served_rows import LightCollator, ServedRows

__all__ = ["as_trainer_reads", "install", "uninstall"]

_NAMES = ("get_train_dataloader", "get_eval_dataloader", "get_test_dataloader")
#: Dataset, whether it is for training -> its rows, or None to leave it alone.
Serve = Callable[[Any, bool], ServedRows | None]


def as_trainer_reads(trainer: Trainer, dataset: Any) -> tuple[Any, Callable[[Any], Any]]:
    """Return the dataset and the collator as Trainer would use them: without unused columns."""
    if isinstance(dataset, datasets.Dataset):
        return trainer._remove_unused_columns(dataset), trainer.data_collator
    return dataset, trainer._get_collator_with_removed_columns(trainer.data_collator)


def install(trainer: Trainer, serve: Serve) -> None:
    """Let a Trainer build its dataloaders over light rows, in the order and size as before."""
    train, evaluation, test = (getattr(trainer, name) for name in _NAMES)

    def get_train_dataloader() -> Any:
        served = serve(trainer.train_dataset, True)
        if served is None:
            return train()
        with _in_place(trainer, served, train_dataset=served.light):
            return train()

    def get_eval_dataloader(eval_dataset: Any = None) -> Any:
        named = isinstance(eval_dataset, str)
        whole: Any = trainer.eval_dataset
        dataset = whole[eval_dataset] if named else whole if eval_dataset is None else eval_dataset
        served = None if dataset is None or isinstance(dataset, dict) else serve(dataset, False)
        if served is None:
            return evaluation(eval_dataset)
        if named:
            with _in_place(trainer, served, eval_dataset={**whole, eval_dataset: served.light}):
                return evaluation(eval_dataset)
        if eval_dataset is None:
            with _in_place(trainer, served, eval_dataset=served.light):
                return evaluation(None)
        with _in_place(trainer, served):
            return evaluation(served.light)

    def get_test_dataloader(test_dataset: Any) -> Any:
        served = serve(test_dataset, False)
        if served is None:
            return test(test_dataset)
        with _in_place(trainer, served):
            return test(served.light)

    for name, method in zip(
        _NAMES, (get_train_dataloader, get_eval_dataloader, get_test_dataloader), strict=True
    ):
        setattr(trainer, name, method)


def uninstall(trainer: Trainer) -> None:
    """Undo `install`."""
    for name in _NAMES:
        vars(trainer).pop(name, None)


@contextmanager
def _in_place(trainer: Trainer, served: ServedRows, **attributes: Any) -> Iterator[None]:
    """Put the collator of light rows, and these attributes, in the place of Trainer's own.

    Memory is not pinned: torch refuses to pin stand-ins, whose elements share one place, and what
    is large is read from the cache anyway.
    """
    new = {"data_collator": LightCollator(served), **attributes}
    with ExitStack() as replaced:
        for name, value in new.items():
            replaced.enter_context(_replaced(trainer, name, value))
        replaced.enter_context(_replaced(trainer.args, "dataloader_pin_memory", False))
        yield


@contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Give an attribute another value for a while."""
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)
