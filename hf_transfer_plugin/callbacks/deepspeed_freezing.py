"""Freezing under DeepSpeed's ZeRO-1 and ZeRO-2, which flatten the weights into one tensor."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn
from torch.optim import SGD, Adam, AdamW

from hf_transfer_plugin.adapt.schedule_state import BASE, ScheduleState
from hf_transfer_plugin.callbacks.base_weights import has_adapters
from hf_transfer_plugin.callbacks.stepped_weights import SteppedWeights
from hf_transfer_plugin.errors import ScheduleError

__all__ = ["FlatWeights", "check_deepspeed", "stepped_weights"]

STEPS = "hf_transfer_plugin_steps"  # key of a parameter group, so that checkpoints hold it
ELEMENTWISE = (SGD, Adam, AdamW)  # keep nothing for a weight but tensors of its shape and "step"


def stepped_weights(optimizer: Any) -> SteppedWeights:
    """Return the weights that an optimizer steps, whatever has wrapped it.

    Args:
        optimizer: what Trainer gives to callbacks in `on_train_begin`.

    Raises:
        ScheduleError: when DeepSpeed runs in a way in which frozen weights would move.
    """
    zero = getattr(optimizer, "optimizer", optimizer)
    if not type(zero).__module__.startswith("deepspeed."):
        # DeepSpeed leaves the optimizer alone under ZeRO-0 in float32.
        return SteppedWeights(optimizer, type(optimizer).__name__ == "DeepSpeedOptimizerWrapper")
    if not hasattr(zero, "single_partition_of_fp32_groups"):
        arrived = f"DeepSpeed keeps the weights in a {type(zero).__name__}"
    elif zero.cpu_offload:
        arrived = "DeepSpeed offloads the optimizer"
    elif type(zero.optimizer) not in ELEMENTWISE:
        arrived = f"DeepSpeed steps the weights with {type(zero.optimizer).__name__}"
    elif zero.round_robin_gradients:
        arrived = "DeepSpeed deals the weights to the processes in turn (round_robin_gradients)"
    else:
        return FlatWeights(zero)
    raise ScheduleError(
        arrived,
        "ZeRO stage 1 or 2 (or 0 in float32) and AdamW or SGD of torch, or frozen weights move",
        'in the DeepSpeed config, set "stage": 2 without offload_optimizer and '
        'round_robin_gradients, and leave "optimizer" out (optim="adamw_torch" is taken then)',
    )


def check_deepspeed(
    states: Sequence[ScheduleState], weights: SteppedWeights, model: nn.Module
) -> None:
    """Check that no phase needs what DeepSpeed does not give to callbacks, or does not save.

    Raises:
        ScheduleError: saying what.
    """
    if has_adapters(model) and not isinstance(weights, FlatWeights):
        raise ScheduleError(
            "the model has adapters, and DeepSpeed saves those alone that train at the time",
            "ZeRO stage 1 or 2, which saves all of them with the optimizer",
            'set "stage": 2 in the DeepSpeed config, or run without DeepSpeed',
        )
    for state in states:
        choice = state.settings.choose
        if choice is not None and choice.by.endswith("_gradient"):
            raise ScheduleError(
                f"{state.label} chooses by gradients, and DeepSpeed lets them go before "
                "callbacks see them",
                "phases that choose by lot or by weights (lisa, spectrum), or not at all",
                "take another schedule, or run without DeepSpeed",
            )
        if state.settings.until_plateau is not None:
            raise ScheduleError(
                f"{state.label} ends at a plateau, and DeepSpeed saves the optimizer, which "
                "carries the best weights, in shards",
                "phases that end at a step, a fraction or an epoch",
                "use until_fraction, until_step or until_epoch, or run without DeepSpeed",
            )
        if any(selector.startswith(BASE) for selector in state.train):
            raise ScheduleError(
                f"{state.label} trains base weights, and DeepSpeed saves the optimizer, which "
                "carries them, in shards",
                "phases that train adapters only, or a model without adapters",
                f'leave the "{BASE}" selectors out, or run without DeepSpeed',
            )


class FlatWeights(SteppedWeights):
    """Lets the optimizer see each parameter of the flat partition by itself.

    ZeRO gives the optimizer of each process one flat tensor per parameter group, with a gradient
    of zero where a weight is frozen: its momentum, weight decay and step count would go on. While
    the optimizer steps, views of the flat tensor, one for each trainable parameter, stand in its
    place, with views of the state and a step count of their own. So frozen weights rest bit for
    bit, and those that thaw begin as in an optimizer of their own. What is saved keeps
    DeepSpeed's layout, plus the step counts.

    Args:
        zero: the optimizer of ZeRO-1 or ZeRO-2, with the state of the checkpoint that the run
            goes on from.

    Raises:
        ScheduleError: when the flat tensor does not hold the weights where it should.
    """

    def __init__(self, zero: Any) -> None:
        super().__init__(zero.optimizer, in_backward=True)
        self._zero = zero
        self._fill()
        if not all(map(_is_mapped, sum(zero.bit16_groups, []))):
            raise ScheduleError(
                "DeepSpeed orders the weights in a way that cannot be read back",
                "a flat tensor that holds each weight at its address",
                "remove unusual settings from zero_optimization in the DeepSpeed config",
            )
        self._step: Callable[..., Any] = self.optimizer.step
        for index, group in enumerate(self.optimizer.param_groups):
            state = self.optimizer.state.get(group["params"][0], {})
            begun = int(state.get("step", bool(state)))  # a checkpoint without schedule
            group.setdefault(STEPS, [begun] * len(self._members(index)))
        setattr(self.optimizer, "step", self._stepped)  # noqa: B010

    def remove(self) -> None:
        """Give the optimizer its own step back."""
        setattr(self.optimizer, "step", self._step)  # noqa: B010
        self._fill()

    def groups(self) -> list[list[torch.Tensor]]:
        """Return the parameters of the model in each parameter group, on whatever process."""
        return [list(group) for group in self._zero.bit16_groups]

    def parameter(self, stepped: torch.Tensor) -> torch.Tensor:
        """Return the parameter of the model behind a tensor that is being stepped."""
        parameter: torch.Tensor = getattr(stepped, "of_parameter", stepped)
        return parameter

    def forget(self, parameter: torch.Tensor) -> None:
        """Begin the state of a parameter anew when it is next stepped.

        The flat state cannot be freed in parts, so this saves no memory.
        """
        for index, group in enumerate(self.optimizer.param_groups):
            for place, member in enumerate(self._members(index)):
                if member is parameter:
                    group[STEPS][place] = 0

    def _fill(self) -> None:
        """Copy the flat tensor into the model, where a checkpoint was loaded into both.

        With adapters, DeepSpeed leaves those that are frozen out of the model it saves.
        """
        self._zero.update_lp_params()

    def _members(self, index: int) -> list[Any]:  # those in the partition of this process
        return [p for p in self._zero.bit16_groups[index] if p._hp_mapping is not None]

    def _stepped(self, closure: Any = None) -> Any:
        with ExitStack() as stack:  # DeepSpeed lets param_groups hold one group at a time
            for group in self.optimizer.param_groups:
                stack.enter_context(self._split(group))
            return self._step()

    @contextmanager
    def _split(self, group: dict[str, Any]) -> Iterator[None]:
        (flat,) = group["params"]
        partitions = self._zero.single_partition_of_fp32_groups
        index = [partition is flat for partition in partitions].index(True)
        members, counts, state = self._members(index), group[STEPS], self.optimizer.state
        fragments: dict[int, Any] = {}
        for place, parameter in enumerate(members):
            if parameter.requires_grad:
                fragment: Any = _view(parameter, flat.detach())
                fragment.grad, fragment.of_parameter = _view(parameter, flat.grad), parameter
                if counts[place]:  # else the optimizer makes its first state, as always
                    state[fragment] = _views(parameter, state[flat], flat, counts[place])
                fragments[place] = fragment
        group["params"] = list(fragments.values())
        try:
            yield
        finally:
            group["params"] = [flat]
            for place, fragment in fragments.items():
                self._keep(members[place], state.pop(fragment, {}), fragment, flat)
        group[STEPS] = [count + (place in fragments) for place, count in enumerate(counts)]

    def _keep(self, parameter: Any, own: dict[str, Any], fragment: Any, flat: Any) -> None:
        """Copy what the optimizer keeps for a fragment to its place in the flat state."""
        whole = self.optimizer.state[flat]
        for key, value in own.items():
            if key == "step":  # the highest, for DeepSpeed's own use
                whole[key] = torch.maximum(whole.get(key, value), value)
            elif torch.is_tensor(value) and value.shape == fragment.shape:
                if key not in whole:
                    whole[key] = torch.zeros_like(flat, dtype=value.dtype, requires_grad=False)
                    self._zero._hp_optimizer_states_linked = False  # let DeepSpeed find it
                _view(parameter, whole[key]).copy_(value)


def _view(parameter: Any, flat: torch.Tensor) -> torch.Tensor:
    address = parameter._hp_mapping.get_hp_fragment_address()
    return flat.narrow(0, address.start, address.numel)


def _views(parameter: Any, whole: dict[str, Any], flat: Any, count: int) -> dict[str, Any]:
    same = {k: v for k, v in whole.items() if torch.is_tensor(v) and v.shape == flat.shape}
    views = {key: _view(parameter, value) for key, value in same.items()}
    return views | ({"step": torch.full_like(whole["step"], count)} if "step" in whole else {})


def _is_mapped(parameter: Any) -> bool:
    m = parameter._hp_mapping
    return m is None or torch.equal(m.hp_fragment.to(parameter.dtype), m.lp_fragment)
