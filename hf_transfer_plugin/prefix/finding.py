"""Finds where the frozen prefix of a model ends, from what its layers do in a forward pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch.utils import _pytree as pytree

from hf_transfer_plugin.prefix.cut import Cut, Skipped, Tap
from hf_transfer_plugin.prefix.determinism import NotCacheable
from hf_transfer_plugin.prefix.leaf_shapes import LeafShape
from hf_transfer_plugin.prefix.probes import Batch, Probes, trial
from hf_transfer_plugin.prefix.unit_calls import Call, LayerUnits, is_tensor, leaves, record
from hf_transfer_plugin.prefix.verifying import Expected, is_close, verify

__all__ = ["find_cut"]

_SEED = 1234


def find_cut(
    units: LayerUnits,
    trained: Iterable[str],
    probes: Probes,
    run: Callable[[Batch], Any],
    *,
    gradients: bool = True,
) -> Cut:
    """Cut the forward pass before the first layer that trains, and check that it is exact.

    Args:
        units: of the model.
        trained: layer groups that train.
        probes: small batches of the data.
        run: the forward pass of a batch.
        gradients: check those of the weights that train, too.

    Raises:
        NotCacheable: saying why the prefix cannot be skipped.
    """
    return _Search(units, units.of_groups(trained), probes, run).result(gradients)


@dataclass
class _Search:
    units: LayerUnits
    live: frozenset[str]
    probes: Probes
    run: Callable[[Batch], Any]

    def __post_init__(self) -> None:
        first, second = self.probes.first.batch, self.probes.second.batch
        model = self.units.model
        with trial(model, training=True, seed=_SEED):
            self.calls, self.outputs = record(self.units, lambda: self.run(first))
        with torch.no_grad(), trial(model, training=True, seed=_SEED + 1):
            self.again, _ = record(self.units, lambda: self.run(first))
        with torch.no_grad(), trial(model, training=False):
            self.others, self.quiet = record(self.units, lambda: self.run(second))

    def result(self, gradients: bool) -> Cut:
        cut = self._skipping(self._boundary())
        taps, anew = self._replay(cut)
        tapped = {tap.call for tap in taps if tap.side == "returned"}
        free = {number for number, call in enumerate(cut.skipped) if call.runs} - tapped
        later = (leaf for call in self.calls[len(cut.skipped) :] for leaf in call.given_from)
        read = {id(leaf) for leaf in later if is_tensor(leaf)}
        needed = {n for n in free if any(id(leaf) in read for leaf in self.calls[n].returned_as)}
        expected = Expected(self.calls, self.outputs, self.others, self.quiet, _SEED)
        if gradients:
            expected = expected.with_gradients(self.units.model)
        reasons = []
        for running in (needed | anew, free | anew):
            found = cut.running(running, taps)
            reason = verify(self.units, found, self.probes, self.run, expected)
            if reason is None:
                return found
            reasons.append(reason)
        raise NotCacheable(reasons[0])

    def _boundary(self) -> int:
        """Return the number of the first call that cannot be skipped."""
        paths = [call.path for call in self.calls]
        # A dropout alone may come too early to matter: whether it does shows below.
        live = {path for path in self.live if self.units.has_weights(path)}
        place = next((n for n, path in enumerate(paths) if path in live), None)
        if place is None:
            raise NotCacheable("no layer that trains takes part in the forward pass")
        for other in (self.again, self.others):
            if [call.path for call in other[: place + 1]] != paths[: place + 1]:
                raise NotCacheable("the frozen layers do not run in the same order every time")
        if not self._has_weights(place):
            raise NotCacheable(f"nothing is frozen before {paths[place]}, the first to run")
        while place and not self._is_settled(place):
            place -= 1
        if not self._has_weights(place):
            raise NotCacheable(
                "the frozen layers give other values each time in training: dropout is on in "
                f"them, or between them, before {paths[place]}; a FreezingCallback turns it off in "
                "the layers that it freezes"
            )
        return place

    def _has_weights(self, place: int) -> bool:
        return any(self.units.has_weights(call.path) for call in self.calls[:place])

    def _is_settled(self, place: int) -> bool:
        pairs = zip(self.calls[place].given, self.again[place].given, strict=True)
        return all(is_close(one, two) for one, two in pairs if is_tensor(one))

    def _skipping(self, place: int) -> Cut:
        skipped = []
        for call, other in zip(self.calls[:place], self.others[:place], strict=True):
            free = not self.units.has_weights(call.path)
            shapes = [
                self._shape(call.path, one, two)
                for one, two in zip(call.returned, other.returned, strict=True)
            ]
            skipped.append(Skipped(call.path, free, tuple(shapes), call.structure))
        boundary = self.calls[place].path
        return Cut(boundary, self.units.group_of[boundary], tuple(skipped))

    def _shape(self, path: str, one: Any, two: Any) -> Any:
        if not is_tensor(one):
            if one is None or isinstance(one, bool | int | float | str):
                return one
            raise NotCacheable(f"{path} returns a {type(one).__name__}, which cannot be kept")
        first, second = self.probes.first.size, self.probes.second.size
        shape = LeafShape.learn(one, first, two, second) if is_tensor(two) else None
        if shape is None:
            raise NotCacheable(
                f"the shape of what {path} returns, {list(one.shape)}, follows neither the rows "
                "of a batch nor their length"
            )
        return shape

    def _replay(self, cut: Cut) -> tuple[list[Tap], set[int]]:
        """Replay with noise as stand-ins: what then differs at a later layer must be kept.

        Zeros would not do: a layer may give zeros for these few rows and not for others.

        Returns:
            the taps, and the calls that shall run because what they return cannot be kept row by
            row and does not depend on anything that is skipped.
        """
        first = self.probes.first
        device = next(self.units.model.parameters()).device
        origin = {
            id(leaf): (number, place)
            for number, call in enumerate(self.calls[: len(cut.skipped)])
            for place, leaf in enumerate(call.returned_as)
            if is_tensor(leaf)
        }
        found: dict[tuple[int, str, int], Tap] = {}
        independent: set[int] = set()
        anew: set[int] = set()

        def react(number: int, path: str, own: Any, args: Any, kwargs: Any) -> Any:
            given, structure = leaves(args, kwargs)
            recorded = self._recorded(number, path, given)
            if number < len(cut.skipped):
                if all(map(is_close, given, recorded)):
                    independent.add(number)
                call = cut.skipped[number]
                if call.runs:
                    return own(*args, **kwargs)
                returned = self.calls[number].returned
                values = {n: _unlike(leaf) for n, leaf in enumerate(returned) if is_tensor(leaf)}
                return call.stand_in(values, first.size, device)
            objects = self.calls[number].given_from
            for place, (now, before) in enumerate(zip(given, recorded, strict=True)):
                if is_tensor(before) and not is_close(now, before):
                    source = origin.get(id(objects[place]))
                    tap = self._tap(number, place, source)
                    if tap.shape.of_row() is not None:
                        found[tap.call, tap.side, tap.leaf] = tap
                    elif source is not None and source[0] in independent:
                        anew.add(source[0])
                    else:
                        raise NotCacheable(
                            f"{path} reads a tensor of the shape {list(before.shape)} from the "
                            "frozen layers, which is not one value for each row"
                        )
                    given[place] = before.clone()
            args, kwargs = pytree.tree_unflatten(given, structure)
            return own(*args, **kwargs)

        with (
            torch.no_grad(),
            trial(self.units.model, training=True, seed=_SEED),
            self.units.reacting(react),
        ):
            self.run(first.batch)
        if not found:
            raise NotCacheable("nothing that the frozen layers compute reaches a layer that trains")
        return list(found.values()), anew

    def _recorded(self, number: int, path: str, given: Sequence[Any]) -> tuple[Any, ...]:
        if number < len(self.calls):
            call = self.calls[number]
            if call.path == path and len(call.given) == len(given):
                return call.given
        raise NotCacheable(f"{path} runs at another place when the frozen layers are skipped")

    def _tap(self, number: int, place: int, source: tuple[int, int] | None) -> Tap:
        side: Literal["given", "returned"] = "given" if source is None else "returned"
        call, leaf = source or (number, place)
        one, two = (_leaf(calls, call, side, leaf) for calls in (self.calls, self.others))
        return Tap(call, side, leaf, self._shape(self.calls[call].path, one, two))


def _unlike(leaf: torch.Tensor) -> torch.Tensor:
    """Return a tensor of the same kind that holds something else."""
    if leaf.dtype == torch.bool:
        return ~leaf
    if not leaf.is_floating_point():
        return torch.zeros_like(leaf)  # other numbers may be no places of anything
    noise = torch.randn(leaf.shape, generator=torch.Generator().manual_seed(_SEED))
    return noise.to(leaf)


def _leaf(calls: Sequence[Call], call: int, side: str, leaf: int) -> Any:
    return (calls[call].given if side == "given" else calls[call].returned)[leaf]
