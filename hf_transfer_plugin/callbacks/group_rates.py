"""A learning rate for each layer group in an optimizer that knows only Trainer's groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from hf_transfer_plugin.callbacks.stepped_weights import SteppedWeights

__all__ = ["GroupRates"]


class GroupRates:
    """Splits the parameter groups by rate while a step runs, and only then.

    Between steps the optimizer has the groups that Trainer made, so its scheduler, its checkpoints
    and a resumed run see nothing of the rates. (Groups that are added for good break LambdaLR and
    the loading of a checkpoint.)

    Args:
        weights: what the optimizer steps.
    """

    def __init__(self, weights: SteppedWeights) -> None:
        self._weights, self._optimizer = weights, weights.optimizer
        self._whole: list[dict[str, Any]] | None = None
        self._factors: dict[int, float] = {}
        self._curve: float | None = None
        self._handles = (
            self._optimizer.register_step_pre_hook(self._split),
            self._optimizer.register_step_post_hook(self._join),
        )

    def set(
        self, factors: Mapping[str, float], members: Mapping[str, Iterable[nn.Parameter]]
    ) -> None:
        """Take new factors.

        Args:
            factors: layer group -> factor on the learning rate.
            members: layer group -> its parameters.
        """
        self._factors = {id(p): f for name, f in factors.items() for p in members.get(name, ())}

    def follow(self, curve: float | None) -> None:
        """Take a factor on the peak rate; None: the rate of the scheduler."""
        self._curve = curve

    def bases(self) -> list[float]:
        """Return the rates that the factors are applied to, one for each parameter group."""
        return [float(self._base(group)) for group in self._optimizer.param_groups]

    def rates(
        self, bases: Sequence[float], members: Mapping[str, Iterable[nn.Parameter]]
    ) -> dict[str, float]:
        """Return layer group -> its rate (the highest of its parameters), 0 when it is frozen.

        Args:
            bases: what `bases()` returned at the step in question.
            members: layer group -> its parameters.
        """
        groups = zip(bases, self._weights.groups(), strict=True)
        by_id = {id(p): base for base, group in groups for p in group}
        return {
            name: max(
                (by_id.get(id(p), 0.0) * self._factors.get(id(p), 0.0) for p in parameters),
                default=0.0,
            )
            for name, parameters in members.items()
        }

    def _base(self, group: Mapping[str, Any]) -> Any:
        # Schedulers leave the peak rate in the group.
        peak = group.get("initial_lr", group["lr"])
        return group["lr"] if self._curve is None else peak * self._curve

    def remove(self) -> None:
        """Leave the optimizer as it was."""
        self._join()
        for handle in self._handles:
            handle.remove()

    def _split(self, *_: Any) -> None:
        self._join()  # the last step may have ended in an exception
        if self._curve is None and all(factor == 1 for factor in self._factors.values()):
            return
        self._whole = self._optimizer.param_groups
        pieces = []
        for index, group in enumerate(self._whole):
            by_factor: dict[float, list[torch.Tensor]] = {}
            for stepped in group["params"]:
                factor = self._factors.get(id(self._weights.parameter(stepped)))
                if factor is not None:
                    by_factor.setdefault(factor, []).append(stepped)
            base = self._base(group)
            for factor, parameters in by_factor.items():
                pieces.append({**group, "params": parameters, "lr": base * factor, "_of": index})
        self._optimizer.param_groups = pieces

    def _join(self, *_: Any) -> None:
        if self._whole is None:
            return
        for piece in reversed(self._optimizer.param_groups):
            # Some optimizers keep counters in their groups.
            kept = {k: v for k, v in piece.items() if k not in ("params", "lr", "_of")}
            self._whole[piece["_of"]].update(kept)
        self._optimizer.param_groups = self._whole
        self._whole = None
