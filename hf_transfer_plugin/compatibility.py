"""What a schedule meets on this model and in this run: errors to come, and what is overlooked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from hf_transfer_plugin.adapt.schedule_state import BASE, ScheduleState
from hf_transfer_plugin.adapt.schedules import FreezingSchedule
from hf_transfer_plugin.errors import ScheduleError
from hf_transfer_plugin.phase_costs import PhaseGroups, switch_of
from hf_transfer_plugin.run_settings import RunSettings, is_reentrant, scheduler_factors

if TYPE_CHECKING:
    from torch import nn
    from transformers import TrainingArguments

    from hf_transfer_plugin.callbacks.group_switch import GroupSwitch

__all__ = ["findings"]

_TINY = 0.1


@dataclass(frozen=True)
class _Case:
    model: nn.Module
    switch: GroupSwitch
    states: tuple[ScheduleState, ...]
    trained: tuple[frozenset[str], ...]  # of each state
    settings: RunSettings
    steps: int
    normalization: str
    dropout: bool

    def pairs(self) -> Iterator[tuple[ScheduleState, frozenset[str]]]:
        return zip(self.states, self.trained, strict=True)

    def frozen_modules(self) -> list[nn.Module]:
        """Return the modules of layer groups that are frozen in some phase."""
        groups = self.switch.groups
        names = [n for g in groups if self._is_frozen(g.name) for n in g.module_names]
        return [module for name in names for module in self.model.get_submodule(name).modules()]

    def _is_frozen(self, name: str) -> bool:
        if any(name not in trained and BASE + name not in trained for trained in self.trained):
            return True
        return any(
            state.settings.choose is not None
            and state.settings.choose.by != "relative_gradient"
            and name in PhaseGroups(state, self.switch).uncertain()
            for state in self.states
        )


def findings(
    model: nn.Module,
    schedule: FreezingSchedule,
    args: TrainingArguments | Mapping[str, Any] | RunSettings,
    steps: int,
    *,
    steps_per_epoch: float | None = None,
    frozen_normalization: str = "eval",
    frozen_dropout: bool = False,
) -> tuple[str, ...]:
    """Say what would stop a run of this schedule, and what is easily overlooked in it.

    Args:
        model: the model that is to be trained; it is left as it is.
        schedule: the freezing schedule.
        args: of the Trainer, or `training` of a plan.
        steps: optimizer steps of the run.
        steps_per_epoch: optimizer steps of an epoch, for phases that end at an epoch.
        frozen_normalization: as for `FreezingCallback`.
        frozen_dropout: as for `FreezingCallback`.

    Returns:
        sentences; what stops the run begins with "stops the run: ".
    """
    settings = args if isinstance(args, RunSettings) else RunSettings.read(args)
    try:
        switch = switch_of(model, schedule)
        states = schedule.states(steps, steps_per_epoch=steps_per_epoch)
        trained = tuple(frozenset(state.resolve(switch.groups)) for state in states)
    except ScheduleError as error:
        return (_stop(error),)
    case = _Case(
        model, switch, states, trained, settings, steps, frozen_normalization, frozen_dropout
    )
    return tuple(sentence for check in _CHECKS for sentence in check(case))


def _stop(error: ScheduleError) -> str:
    return f"stops the run: {error.arrived}; expected {error.expected}; {error.action}"


def _trainable(case: _Case) -> Iterator[str]:
    from hf_transfer_plugin.callbacks.freezing_checks import check_trainable

    for state in case.states:
        try:
            check_trainable(state, case.switch)
        except ScheduleError as error:
            yield _stop(error)


def _adapters(case: _Case) -> Iterator[str]:
    from hf_transfer_plugin.callbacks.base_weights import has_adapters

    if not has_adapters(case.model):
        return
    held = set(case.switch.names)
    idle = [n for n in case.switch.groups.names if n not in held]
    if idle:
        yield (
            f"adapters: {', '.join(idle)} hold none; phases that select them train nothing there "
            f'("{BASE}SELECTOR" trains the weights themselves)'
        )


def _tied(case: _Case) -> Iterator[str]:
    for owner, others in case.switch.tied().items():
        for state, names in case.pairs():
            if owner not in names:
                yield (
                    f"tied weights: {state.label} freezes {owner}, and with it "
                    f"{', '.join(others)}, which is the same weight"
                )
                break


def _plateaus(case: _Case) -> Iterator[str]:
    from hf_transfer_plugin.callbacks.freezing_checks import check_evaluation

    try:
        check_evaluation(case.states, cast("TrainingArguments", case.settings))
    except ScheduleError as error:
        yield _stop(error)
    late = [state for state in case.states if state.start >= case.steps]
    if late:
        yield (
            f"may never be reached: {late[0].label}{' and what follows' * (len(late) > 1)}, when "
            "validation goes on improving; until_fraction beside until_plateau sets a latest end"
        )


def _distributed(case: _Case) -> Iterator[str]:
    from hf_transfer_plugin.callbacks.freezing_checks import check_distributed

    try:
        check_distributed(case.states, case.switch, cast("TrainingArguments", case.settings))
    except ScheduleError as error:
        yield _stop(error)


def _checkpointing(case: _Case) -> Iterator[str]:
    if is_reentrant(case.settings):
        first = case.switch.groups.names[0]
        if any(first not in names for names in case.trained):
            yield (
                "activation checkpointing with use_reentrant=True runs frozen layers twice and "
                "backward; leave use_reentrant out"
            )


def _normalization(case: _Case) -> Iterator[str]:
    from torch.nn.modules.batchnorm import _BatchNorm

    norms = {id(m) for m in case.frozen_modules() if isinstance(m, _BatchNorm)}
    what = {
        "eval": "normalises by its running statistics, which rest",
        "keep": "normalises by the batch, and its running statistics rest",
        "train": "normalises by the batch and moves its running statistics",
    }[case.normalization]
    if norms:
        yield (
            f'BatchNorm in frozen layers ({len(norms)} of them) {what} (frozen_normalization="'
            f'{case.normalization}")'
        )


def _dropout(case: _Case) -> Iterator[str]:
    from torch.nn.modules.dropout import _DropoutNd

    found = {id(m) for m in case.frozen_modules() if isinstance(m, _DropoutNd) and m.p > 0}
    if found and not case.dropout:
        yield (
            f"dropout is off in frozen layers ({len(found)} modules); frozen_dropout=True leaves "
            "it on"
        )


def _tiny_rates(case: _Case) -> Iterator[str]:
    for state in case.states[1:]:
        if state.settings.curve or not state.start < state.end:
            continue
        points = tuple(range(state.start, state.end, max(1, (state.end - state.start) // 50)))
        factors = scheduler_factors(case.settings, case.steps, points)
        if factors and max(factors) < _TINY:
            yield (
                f"{state.label} trains at no more than {max(factors):.1%} of the peak rate, as one "
                "scheduler spans the run; curve begins anew in each phase"
            )


def _warmup(case: _Case) -> Iterator[str]:
    warmup = case.settings.warmup(case.steps)
    if not warmup or len(case.states) < 2 or case.states[0].settings.curve:
        return
    blocks = [group.depth for group in case.switch.groups if group.is_block]
    above = {g.name for g in case.switch.groups if g.depth > max(blocks, default=-1)}
    if case.trained[0] <= above and warmup <= case.states[0].end:
        yield (
            f"warm-up of {warmup} steps is over before {case.states[0].label}, which trains the "
            "head alone, ends: the layers below begin without one; curve and warmup give each "
            "phase its own"
        )


def _compiled(case: _Case) -> Iterator[str]:
    if not case.settings.torch_compile:
        return
    transitions = len(case.states) - 1
    for state in case.states:
        choice = state.settings.choose
        if choice is not None and choice.by == "random" and choice.every:
            transitions += (state.end - state.start - 1) // choice.every
    if transitions:
        plural = "1 transition" if transitions == 1 else f"{transitions} transitions"
        yield f"torch_compile compiles anew at {plural}"


_CHECKS: tuple[Callable[[_Case], Iterator[str]], ...] = (
    _trainable,
    _adapters,
    _tied,
    _plateaus,
    _distributed,
    _checkpointing,
    _normalization,
    _dropout,
    _tiny_rates,
    _warmup,
    _compiled,
)
