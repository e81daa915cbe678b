"""Where a forward pass is cut in two: what is skipped, what is kept, what runs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch.utils import _pytree as pytree

from hf_transfer_plugin.prefix.leaf_shapes import BatchSize, LeafShape
from hf_transfer_plugin.prefix.unit_calls import LayerUnits, React, is_tensor, leaves

__all__ = ["Cut", "Skipped", "Tap", "capture", "fed", "feeding"]


@dataclass(frozen=True)
class Tap:
    """One tensor at the boundary: kept for every row, and fed back.

    Attributes:
        call: number of the unit's call in a forward pass.
        side: whether it is among what the call returns or among what it is given.
        leaf: its number there.
        shape: of the tensor in a batch.
    """

    call: int
    side: Literal["returned", "given"]
    leaf: int
    shape: LeafShape

    @property
    def name(self) -> str:
        """A name for files."""
        return f"{self.side}-{self.call}-{self.leaf}"


@dataclass(frozen=True)
class Skipped:
    """A call of the frozen prefix.

    Attributes:
        path: of the unit.
        runs: it costs nothing and what it returns does not depend on what is skipped.
        returned: shape of each tensor that it returns; other values as they are.
        structure: of what it returns.
    """

    path: str
    runs: bool
    returned: tuple[LeafShape | Any, ...]
    structure: pytree.TreeSpec

    def stand_in(
        self,
        values: Mapping[int, torch.Tensor],
        size: BatchSize,
        device: torch.device,
        *,
        solid: bool = False,
    ) -> Any:
        """Return what the call returns in a batch: `values` by number of the leaf, else zeros."""
        found = [
            values[place]
            if place in values
            else leaf.zeros(size, device, solid=solid)
            if isinstance(leaf, LeafShape)
            else leaf
            for place, leaf in enumerate(self.returned)
        ]
        return pytree.tree_unflatten(found, self.structure)


@dataclass(frozen=True)
class Cut:
    """A place in the forward pass of one model.

    Attributes:
        boundary: path of the first unit that runs.
        group: layer group of it.
        skipped: the calls before it.
        taps: the tensors that replace them.
    """

    boundary: str
    group: str
    skipped: tuple[Skipped, ...]
    taps: tuple[Tap, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        """The units that are skipped, each once."""
        return tuple(dict.fromkeys(call.path for call in self.skipped))

    def running(self, calls: Collection[int], taps: Sequence[Tap]) -> Cut:
        """Return the cut with these taps, in which these calls run and no others."""
        skipped = (replace(call, runs=n in calls) for n, call in enumerate(self.skipped))
        return replace(self, skipped=tuple(skipped), taps=tuple(taps))


def fed(
    cut: Cut, values: Mapping[Tap, torch.Tensor], size: BatchSize, device: torch.device
) -> React:
    """Return how units behave when the prefix is skipped and `values` come in its place."""
    fed: dict[int, dict[int, torch.Tensor]] = {}
    for tap in cut.taps:
        fed.setdefault(tap.call, {})[tap.leaf] = values[tap]

    def react(
        number: int,
        path: str,
        own: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        here = fed.get(number, {})
        if number >= len(cut.skipped):
            if here:
                found, structure = leaves(args, kwargs)
                for leaf, value in here.items():
                    found[leaf] = value
                args, kwargs = pytree.tree_unflatten(found, structure)
            return own(*args, **kwargs)
        call = cut.skipped[number]
        if call.path != path:
            raise RuntimeError(f"{path} was called where {call.path} was called before")
        return own(*args, **kwargs) if call.runs else call.stand_in(here, size, device)

    return react


@contextmanager
def feeding(
    units: LayerUnits,
    cut: Cut,
    values: Mapping[Tap, torch.Tensor],
    size: BatchSize,
    device: torch.device,
) -> Iterator[None]:
    """Skip the prefix in forward passes of the model and put `values` in its place.

    Args:
        units: of the model.
        cut: where the prefix ends.
        values: what each tap holds for the rows of the batch.
        size: of the batch.
        device: of the model.
    """
    with units.reacting(fed(cut, values, size, device)):
        yield


class _Reached(Exception):
    """Ends a forward pass whose rest is not needed."""


def capture(
    units: LayerUnits,
    taps: Sequence[Tap],
    run: Callable[[], Any],
    base: React | None = None,
) -> dict[Tap, torch.Tensor]:
    """Run a forward pass up to the last of the taps and return what each holds.

    Args:
        units: of the model.
        taps: of one or several cuts.
        run: the forward pass.
        base: how units behave; they run when it is None.
    """
    found: dict[Tap, torch.Tensor] = {}
    last = max(tap.call for tap in taps)

    def react(
        number: int,
        path: str,
        own: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        here = [tap for tap in taps if tap.call == number]
        _take(found, [t for t in here if t.side == "given"], leaves(args, kwargs)[0], last)
        if len(found) == len(taps):
            raise _Reached
        result = base(number, path, own, args, kwargs) if base else own(*args, **kwargs)
        _take(
            found, [t for t in here if t.side == "returned"], pytree.tree_flatten(result)[0], last
        )
        if number >= last:
            raise _Reached
        return result

    with units.reacting(react):
        try:
            run()
        except _Reached:
            pass
    return found


def _take(
    found: dict[Tap, torch.Tensor], taps: Sequence[Tap], given: Sequence[Any], last: int
) -> None:
    for tap in taps:
        value = given[tap.leaf]
        if not is_tensor(value):
            raise RuntimeError(f"no tensor at {tap.name}")
        # A layer that still runs may write into it.
        found[tap] = value.clone() if tap.call < last else value
