"""Items that weigh nothing: a row's number, and the real item for who asks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch

__all__ = ["LightDataset", "LightRow"]


class LightRow(Mapping[str, Any]):
    """The number of an example, which reads like its item but loads it only when a key is asked.

    It is no `dict`, so Trainer's collator that drops columns hands it on as it is.
    """

    __slots__ = ("_dataset", "_item", "index")

    def __init__(self, dataset: Any, index: int) -> None:
        self._dataset = dataset
        self._item: Any = None
        self.index = index

    def _loaded(self) -> Any:
        if self._item is None:
            self._item = self._dataset[self.index]
        return self._item

    def __getitem__(self, key: str) -> Any:
        return self._loaded()[key]

    def __contains__(self, key: object) -> bool:
        return key in self._loaded()

    def __iter__(self) -> Iterator[str]:
        return iter(self._loaded())

    def __len__(self) -> int:
        return len(self._loaded())

    def __repr__(self) -> str:
        return f"LightRow({self.index})"


class LightDataset(torch.utils.data.Dataset[LightRow]):
    """A dataset's examples as light rows."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> LightRow:
        # Who goes through a dataset without asking its length stops at the IndexError.
        if not -len(self) <= index < len(self):
            raise IndexError(f"example {index} of {len(self)}")
        return LightRow(self.dataset, int(index) % len(self))
