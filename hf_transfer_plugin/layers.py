"""The parameters of any model as ordered, named groups, from the input to the head."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from typing import TYPE_CHECKING

from hf_transfer_plugin.errors import ScheduleError, did_you_mean

if TYPE_CHECKING:
    from torch import nn

__all__ = ["ROLES", "LayerGroup", "LayerGroups", "layer_groups", "select_groups"]

_INPUTS = frozenset({"embeddings", "stem"})
#: Names of the groups that are no blocks; in a model of several towers they end a longer name.
ROLES = _INPUTS | {"neck", "head"}


@dataclass(frozen=True)
class LayerGroup:
    """Parameters that freeze and thaw together.

    Attributes:
        name: short and the same under every wrapper: "embeddings", "layer.0", "neck", "head".
        depth: position from the input, 0 first.
        parameter_names: names as `model.named_parameters()` gives them.
        module_names: the outermost modules that belong to this group alone. Their `.eval()`
            stops the BatchNorm statistics and the dropout of this group and of no other.
    """

    name: str
    depth: int
    parameter_names: tuple[str, ...]
    module_names: tuple[str, ...]

    @property
    def is_block(self) -> bool:
        """Tell whether this is one of the repeated layers, not input, neck or head."""
        return self.name.rpartition(".")[2] not in ROLES


@dataclass(frozen=True, repr=False)
class LayerGroups:
    """An immutable sequence of layer groups, input first; also indexed by name.

    Attributes:
        groups: the groups in order of depth.
        tied: for each weight with several names, (the name in `parameter_names`, its other
            names). The weight belongs to the group nearest to the input that uses it, so
            freezing the head never freezes an embedding that it shares.
    """

    groups: tuple[LayerGroup, ...]
    tied: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The group names, input to head."""
        return tuple(group.name for group in self.groups)

    @property
    def head(self) -> LayerGroup | None:
        """The task head; None for a bare backbone and for a head whose weights are all tied."""
        return self._by_name.get("head")

    @property
    def behind_blocks(self) -> int:
        """The depth of what follows the last block, or the input where there are no blocks."""
        blocks = [group.depth for group in self if group.is_block]
        inputs = [g.depth for g in self if g.name.rpartition(".")[2] in _INPUTS]
        return max(blocks or inputs, default=-1) + 1

    def of_parameter(self, name: str) -> LayerGroup:
        """Return the group that a parameter belongs to, also by a tied weight's other names.

        Args:
            name: a name from `model.named_parameters(remove_duplicate=False)`.

        Raises:
            ScheduleError: when the model has no parameter of that name.
        """
        if name not in self._by_parameter:
            raise ScheduleError(
                arrived=f"no parameter is called {name!r}{did_you_mean(name, self._by_parameter)}",
                expected="a name from named_parameters() of the model that was grouped",
                action="group the model again after wrapping it or adding adapters",
            )
        return self._by_parameter[name]

    def __iter__(self) -> Iterator[LayerGroup]:
        return iter(self.groups)

    def __len__(self) -> int:
        return len(self.groups)

    def __getitem__(self, key: str | int) -> LayerGroup:
        if isinstance(key, int):
            return self.groups[key]
        if key not in self._by_name:
            raise _no_such_group(self, key)
        return self._by_name[key]

    def __contains__(self, item: object) -> bool:
        return item in self._by_name or item in self.groups

    def __repr__(self) -> str:
        width = max((len(name) for name in self.names), default=0)
        lines = (
            f"  {group.depth:>3}  {group.name:<{width}}  {len(group.parameter_names)} parameters"
            for group in self.groups
        )
        return "\n".join((f"LayerGroups({len(self)})", *lines))

    @cached_property
    def _by_name(self) -> Mapping[str, LayerGroup]:
        return {group.name: group for group in self.groups}

    @cached_property
    def _by_parameter(self) -> Mapping[str, LayerGroup]:
        found = {name: group for group in self.groups for name in group.parameter_names}
        aliases = {alias: found[owner] for owner, names in self.tied for alias in names}
        return found | aliases


def layer_groups(model: nn.Module) -> LayerGroups:
    """Group the parameters of a model, from the input to the head.

    The groups come from the module tree alone: "embeddings" or "stem" (all that lies before the
    first block), one group per block, "neck" (all between the last block and the head) and
    "head". Groups that would own no parameter are left out. A model of several towers
    (CLIP, T5) has these per tower, prefixed with its name, tower after tower as registered.

    Args:
        model: any model, also inside DistributedDataParallel, torch.compile or PEFT. Group names
            ignore the wrapper, parameter and module names are those of the object passed in.

    Returns:
        Groups that hold every name of `model.named_parameters()` exactly once.

    Raises:
        ScheduleError: when `model` is no torch module or has no parameters.

    Examples:
        >>> layer_groups(bert).names  # doctest: +SKIP
        ('embeddings', 'layer.0', ..., 'layer.11', 'neck', 'head')
    """
    from torch import nn

    from hf_transfer_plugin.layer_placement import gather

    if not isinstance(model, nn.Module):
        raise ScheduleError(
            arrived=f"layer_groups got a {type(model).__name__}: {model!r:.80}",
            expected="a torch.nn.Module, such as what from_pretrained returns",
            action="load the checkpoint first: AutoModelForSequenceClassification.from_pretrained",
        )
    if next(model.parameters(), None) is None:
        raise ScheduleError(
            arrived=f"{type(model).__name__} has no parameters",
            expected="a model with weights to freeze and train",
            action="pass the network itself, after its layers are built",
        )
    gathered = gather(model)
    groups = (
        LayerGroup(name, depth, parameters, modules)
        for depth, (name, parameters, modules) in enumerate(gathered.groups)
    )
    return LayerGroups(tuple(groups), gathered.tied)


def select_groups(groups: LayerGroups, selectors: Sequence[str]) -> tuple[str, ...]:
    """Resolve selectors to group names.

    Args:
        groups: the groups to choose from.
        selectors: globs over group names ("layer.1*", "head", "*"), matched case-sensitively, or
            "top:N": everything from the N-th last block to the output. "top:0" is what follows
            the last block. "bottom:N": everything from the input to the N-th block.

    Returns:
        The names that any selector matches, input to head, each once.

    Raises:
        ScheduleError: when a selector matches nothing, or "top:N" or "bottom:N" has no such N.
    """
    if isinstance(selectors, str):
        raise ScheduleError(
            arrived=f"the selectors are one text: {selectors!r}",
            expected="a sequence of texts",
            action=f"write [{selectors!r}]",
        )
    chosen: set[str] = set()
    for selector in selectors:
        if selector.startswith(("top:", "bottom:")):
            matched = _counted(groups, selector)
        else:
            matched = tuple(name for name in groups.names if fnmatchcase(name, selector))
        if not matched:
            raise _no_such_group(groups, selector)
        chosen.update(matched)
    return tuple(name for name in groups.names if name in chosen)


def _counted(groups: LayerGroups, selector: str) -> tuple[str, ...]:
    blocks = [group.depth for group in groups if group.is_block]
    end, _, count = selector.partition(":")
    if not (count.isascii() and count.isdigit()) or int(count) > len(blocks):
        raise ScheduleError(
            arrived=f"{selector!r}, and the model has {len(blocks)} blocks",
            expected=f'"{end}:N" with a whole number N from 0 to {len(blocks)}',
            action='lower N, or use "*" to select every group',
        )
    after = groups.behind_blocks
    if end == "top":
        return groups.names[[*blocks, after][len(blocks) - int(count)] :]
    return groups.names[: [*blocks, after][int(count)]]


def _no_such_group(groups: LayerGroups, selector: str) -> ScheduleError:
    action = 'use one of these names, a glob over them, "top:N" or "bottom:N"'
    if selector == "head" and groups.tied:
        shared = ", ".join(owner for owner, _ in groups.tied)
        action += f"; a head whose only weight is tied ({shared}) has no group of its own"
    return ScheduleError(
        arrived=f"no layer group matches {selector!r}{did_you_mean(selector, groups.names)}",
        expected=f"one of {', '.join(groups.names)}",
        action=action,
    )
