"""Lines and means in the space of weights: WiSE-FT and the greedy soup, as pure functions."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from hf_transfer_plugin.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["between", "greedy_soup", "interpolated", "line", "mean_weights"]

_Member = TypeVar("_Member", bound=Hashable)
Weights = Mapping[str, "Tensor"]


def interpolated(start: Weights, end: Weights, alpha: float) -> dict[str, Tensor]:
    """Return (1 - alpha) start + alpha end.

    Running statistics of BatchNorm are on the line too, so that 0 and 1 are exactly the models
    that were measured. Whole numbers, such as counters, are those of the end.

    Args:
        start: name -> tensor.
        end: the same names and shapes.
        alpha: 0 for the start, 1 for the end.

    Raises:
        CheckpointError: for weights of two architectures.

    References:
        Wortsman et al., "Robust fine-tuning of zero-shot models" (2022).
    """
    import torch

    _check_alike([start, end])
    return {
        name: torch.lerp(start[name], tensor, alpha) if tensor.is_floating_point() else tensor
        for name, tensor in end.items()
    }


def between(steps: int) -> tuple[float, ...]:
    """Return what divides a line into equal steps, without its ends: 10 gives 0.1 ... 0.9."""
    return tuple(step / steps for step in range(1, steps))


def line(
    start: Weights, end: Weights, alphas: Sequence[float]
) -> Iterator[tuple[float, dict[str, Tensor]]]:
    """Walk the line from start to end; yields each alpha with the weights there.

    Raises:
        CheckpointError: for weights of two architectures.
    """
    for alpha in alphas:
        yield alpha, interpolated(start, end, alpha)


def mean_weights(members: Sequence[Weights]) -> dict[str, Tensor]:
    """Return the mean of several sets of weights, running statistics included.

    Args:
        members: one or more, with the same names and shapes; whole numbers are those of the first.

    Raises:
        CheckpointError: for none, or for weights of two architectures.

    References:
        Wortsman et al., "Model soups" (2022).
    """
    import torch

    _check_alike(members)
    return {
        name: torch.stack([each[name] for each in members]).mean(0)
        if tensor.is_floating_point()
        else tensor
        for name, tensor in members[0].items()
    }


def greedy_soup(
    alone: Mapping[_Member, float],
    together: Callable[[Sequence[_Member]], float],
    *,
    strict: bool = False,
) -> tuple[tuple[_Member, ...], float]:
    """Choose members of an average: the best one, then each that does not make it worse.

    Args:
        alone: member -> validation metric of it alone (higher is better).
        together: members -> validation metric of their average.
        strict: keep a member only if the average is better with it; the paper keeps it on a tie.

    Returns:
        The members that stay, and the validation metric of their average.

    References:
        Wortsman et al., "Model soups" (2022), algorithm 1.
    """
    first, *others = sorted(alone, key=lambda member: -alone[member])
    kept: tuple[_Member, ...] = (first,)
    reached = alone[first]
    for member in others:
        tried = together((*kept, member))
        if tried > reached or (tried == reached and not strict):
            kept, reached = (*kept, member), tried
    return kept, reached


def _check_alike(members: Sequence[Weights]) -> None:
    shapes = [{name: tuple(tensor.shape) for name, tensor in each.items()} for each in members]
    if shapes and all(each == shapes[0] for each in shapes):
        return
    odd = sorted({n for each in shapes for n, s in each.items() if shapes[0].get(n) != s})
    raise CheckpointError(
        arrived=f"weights that differ in {', '.join(odd[:3]) or 'their names'}"
        if shapes
        else "no weights to average",
        expected="one or more sets with the same names and shapes",
        action="average models of one architecture with the same classes",
    )
