"""Feeds the measurements of a phase from the model that trains, and keeps them resumable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch

from hf_transfer_plugin.adapt.measures import best_matrices, relative_gradients, settled_layers
from hf_transfer_plugin.adapt.schedule_state import Measured, ScheduleState
from hf_transfer_plugin.callbacks.group_switch import GroupSwitch

__all__ = ["Measuring"]


class Measuring:
    """Measures what the phase of a schedule chooses by.

    Everything that later steps depend on is in `record()`, a JSON value of names and numbers.

    Args:
        switch: the layer groups of the model.
        record: what `record()` returned in the run that is resumed.
    """

    def __init__(self, switch: GroupSwitch, record: Mapping[str, Any] | None = None) -> None:
        self._switch = switch
        given = dict(record or {})
        self._phase: int = given.get("phase", -1)
        self._frozen: list[str] = list(given.get("frozen", []))
        self._ratios: dict[str, float] = dict(given.get("ratios", {}))
        self._matrices: list[str] = list(given.get("matrices", []))
        self._sums: dict[str, float] = dict(given.get("sums", {}))
        self._previous: dict[str, float] = dict(given.get("previous", {}))

    def record(self) -> dict[str, Any]:
        """Return what a resumed run must know."""
        return {
            "phase": self._phase,
            "frozen": self._frozen,
            "ratios": self._ratios,
            "matrices": self._matrices,
            "sums": self._sums,
            "previous": self._previous,
        }

    @property
    def measured(self) -> Measured:
        """What the phase has measured so far."""
        return Measured(tuple(self._frozen), dict(self._ratios), tuple(self._matrices))

    def begin(self, state: ScheduleState) -> None:
        """Forget the last phase when another begins, and measure its weights if it asks for it."""
        if state.phase == self._phase:
            return
        self._phase = state.phase
        self._frozen, self._ratios, self._matrices = [], {}, []
        self._sums, self._previous = {}, {}
        choice = state.settings.choose
        if choice is not None and choice.by == "signal_to_noise":
            self._matrices = self._choose_matrices(state, choice.share or 1.0)

    def observe(self, state: ScheduleState, step: int) -> None:
        """Take the gradients of one optimizer step, just before it is made.

        Args:
            state: what holds at the step.
            step: optimizer steps made before it.
        """
        choice = state.settings.choose
        if choice is None:
            return
        every, made = choice.every or 1, step - state.start
        if choice.by == "relative_gradient" and made % every == 0:
            names = [name for name in self._trained(state) if self._parameters(name)]
            gradients = self._norms(names, of_gradients=True)
            self._ratios = relative_gradients(gradients, self._norms(names, of_gradients=False))
        if choice.by == "settled_gradient":
            norms = self._norms(self._trained(state), of_gradients=True)
            self._sums = {name: self._sums.get(name, 0.0) + norm for name, norm in norms.items()}
            if (made + 1) % every == 0:
                self._settle(choice.percentile or 0.0, every)

    def _settle(self, percentile: float, every: int) -> None:
        current = {name: total / every for name, total in self._sums.items()}
        if self._previous:
            settled = settled_layers(self._previous, current, list(current), percentile)
            self._frozen += settled
            current = {name: norm for name, norm in current.items() if name not in settled}
        self._previous, self._sums = current, {}

    def _trained(self, state: ScheduleState) -> list[str]:
        resolved = state.resolve(self._switch.groups, self.measured)
        return [name for name in resolved if self._switch.parameters(name)]

    def _parameters(self, name: str) -> list[torch.Tensor]:
        return [p for p in self._switch.parameters(name) if p.grad is not None]

    @torch.no_grad()
    def _norms(self, names: Iterable[str], *, of_gradients: bool) -> dict[str, float]:
        norms = {}
        for name in names:
            held = self._parameters(name)
            tensors = [p.grad for p in held] if of_gradients else held
            # Squares of float16 gradients overflow.
            whole = [t.float() for t in tensors if t is not None]
            norms[name] = torch.nn.utils.get_total_norm(whole)
        # One transfer from an accelerator for all of them.
        values = torch.stack(list(norms.values())).tolist() if norms else []
        return dict(zip(norms, values, strict=True))

    def _choose_matrices(self, state: ScheduleState, share: float) -> list[str]:
        partial = state.partial(self._switch.groups)
        named = {n: p for group in partial for n, p in self._switch.named(group).items()}
        best = best_matrices({n: p for n, p in named.items() if p.dim() > 1}, share)
        owners = {name.rpartition(".")[0] for name in best}
        return [name for name in named if name.rpartition(".")[0] in owners]
