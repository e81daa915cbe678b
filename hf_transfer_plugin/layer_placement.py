"""Give every module and parameter of a network its place between input and head."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from os.path import commonprefix

from torch import nn

from hf_transfer_plugin.layer_discovery import Chain, find_chains, find_head, holds_embedding
from hf_transfer_plugin.layer_wrappers import unwrap

__all__ = ["Gathered", "gather"]

# Chain, then input / block / neck, then block within the chain: sorts from input to head.
Slot = tuple[int, int, int]
_INPUT, _BLOCK, _NECK = 0, 1, 2
_SHARED_INPUT: Slot = (-1, _INPUT, 0)


@dataclass(frozen=True)
class Gathered:
    """What belongs to each group that owns at least one parameter, input to head.

    Attributes:
        groups: (group name, its parameter names, its outermost module names).
        tied: for each tensor of several names, (the name in `groups`, its other names).
    """

    groups: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]
    tied: tuple[tuple[str, tuple[str, ...]], ...]


def gather(model: nn.Module) -> Gathered:
    """Sort the parameters and modules of a model, wrapped or not, into groups."""
    root = unwrap(model)
    path = next(name for name, part in model.named_modules() if part is root)
    prefix = f"{path}." if path else ""
    places = _Places(root)
    slots, aliases = _slots_of_parameters(model, prefix, places)
    tied = {alias for names in aliases.values() for alias in names}
    parameters: dict[Slot, list[str]] = {slot: [] for slot in sorted(set(slots.values()))}
    modules: dict[Slot, list[str]] = {slot: [] for slot in parameters}
    for name, slot in slots.items():
        if name not in tied:
            parameters[slot].append(name)
    for path, slot in places.outermost():
        # Dropout beside a group that owns nothing acts on what comes next, or else on the last.
        heir = next((other for other in parameters if other >= slot), max(parameters))
        modules[heir].extend(_wholly_in(heir, prefix + path, model, slots))
    return Gathered(
        tuple((places.name(s), tuple(parameters[s]), tuple(modules[s])) for s in parameters),
        tuple((owner, tuple(names)) for owner, names in aliases.items()),
    )


def _slots_of_parameters(
    model: nn.Module, prefix: str, places: _Places
) -> tuple[dict[str, Slot], dict[str, list[str]]]:
    """Return the slot of every name, one for all names of a tensor, and the further names."""
    owners: dict[int, str] = {}
    aliases: dict[str, list[str]] = {}
    slots: dict[str, Slot] = {}
    for name, tensor in model.named_parameters(remove_duplicate=False):
        # What a wrapper adds (the soft prompt of PEFT) feeds the input.
        inside = name.startswith(prefix)
        slot = places.of_parameter(name.removeprefix(prefix)) if inside else places.first
        owner = owners.setdefault(id(tensor), name)
        if owner != name:
            aliases.setdefault(owner, []).append(name)
        slots[owner] = min(slot, slots.get(owner, slot))
    for owner, names in aliases.items():
        slots.update(dict.fromkeys(names, slots[owner]))
    return slots, aliases


def _wholly_in(slot: Slot, path: str, model: nn.Module, slots: dict[str, Slot]) -> Iterator[str]:
    """Yield the outermost modules, from a path down, that own or share no other group's weight."""
    if {place for name, place in slots.items() if name.startswith(f"{path}.")} <= {slot}:
        yield path
        return
    for name, _ in model.get_submodule(path).named_children():
        yield from _wholly_in(slot, f"{path}.{name}", model, slots)


def _holds(path: str, inner: str) -> bool:
    return not path or inner == path or inner.startswith(f"{path}.")


class _Places:
    """Visits the modules in registration order and remembers which blocks it has passed."""

    def __init__(self, root: nn.Module) -> None:
        self.head = find_head(root)
        self.chains: Sequence[Chain] = find_chains(root, self.head)
        self.head_slot: Slot = (len(self.chains), 0, 0)
        self.blocks: dict[str, Slot] = {
            path: (number, _BLOCK, block)
            for number, chain in enumerate(self.chains)
            for block, path in enumerate(chain.blocks)
        }
        anchors = [*self.head, *self.blocks]
        above = {path[: dot.start()] for path in anchors for dot in re.finditer(r"\.", path)}
        self.containers = {"", *above}
        self.passed: dict[int, int] = {}
        self.slots: dict[str, Slot] = {}
        self.embedded: set[Slot] = set()
        self._visit("", root, feeds_blocks=False)

    @property
    def first(self) -> Slot:
        """The slot nearest to the input."""
        return min(_SHARED_INPUT if len(self.chains) > 1 else (0, _INPUT, 0), self.head_slot)

    def name(self, slot: Slot) -> str:
        """Return the group name of a slot."""
        number, kind, block = slot
        if slot == self.head_slot:
            return "head"
        first = "embeddings" if slot in self.embedded else "stem"
        if slot == _SHARED_INPUT:
            return first
        chain = self.chains[number]
        if kind == _BLOCK:
            return chain.prefix + chain.names[block]
        return chain.prefix + (first if kind == _INPUT else "neck")

    def of_parameter(self, name: str) -> Slot:
        """Return the slot of a parameter, given its name below the root."""
        path = name.rpartition(".")[0]
        while path not in self.slots:
            path = path.rpartition(".")[0]
        return self.slots[path]

    def outermost(self) -> Iterator[tuple[str, Slot]]:
        """Yield the modules that lie in one slot, without those that spread over several."""
        return ((path, slot) for path, slot in self.slots.items() if path not in self.containers)

    def _visit(self, path: str, module: nn.Module, *, feeds_blocks: bool) -> None:
        if path in self.blocks:
            slot = self.slots[path] = self.blocks[path]
            self.passed[slot[0]] = slot[2]
        elif path and path in self.head:
            self.slots[path] = self.head_slot
        elif path in self.containers:
            self.slots[path] = self._own_parameters(path)
            self._visit_children(path, module)
        else:
            feeds_blocks = feeds_blocks or holds_embedding(module)
            slot = self.slots[path] = self._rest(path, feeds_blocks)
            if holds_embedding(module, patches=True):
                self.embedded.add(slot)

    def _visit_children(self, path: str, module: nn.Module) -> None:
        parts = {f"{path}.{name}" if path else name: part for name, part in module.named_children()}
        inner = list(parts)
        with_blocks = [
            position
            for position, part in enumerate(inner)
            if any(_holds(part, block) for block in self.blocks)
        ]
        behind = inner[with_blocks[-1] + 1 :] if with_blocks else []
        behind = [part for part in behind if part not in self.head]
        # Embeddings registered behind the blocks (relative positions) show that this container
        # lists what its blocks read behind them: nothing there waits for their output.
        feeds_blocks = any(holds_embedding(parts[part]) for part in behind)
        for part in inner:
            self._visit(part, parts[part], feeds_blocks=feeds_blocks and part in behind)

    def _chain_of(self, path: str) -> int | None:
        numbers = (n for n, chain in enumerate(self.chains) if _holds(chain.path, path))
        return next(numbers, None)

    def _own_parameters(self, path: str) -> Slot:
        """Place the parameters of a container: in front of the first block that it holds."""
        number = self._chain_of(path)
        if number is None or (not path and "" in self.head):
            return self.head_slot
        below = [slot for block, slot in self.blocks.items() if _holds(path, block)]
        if not below:
            return self._by_order(path, number, feeds_blocks=False)
        return (number, _INPUT, 0) if below[0][2] == 0 else below[0]

    def _rest(self, path: str, feeds_blocks: bool) -> Slot:
        """Place a module that neither holds a block nor lies in one."""
        number = self._chain_of(path)
        if number is not None:
            return self._by_order(path, number, feeds_blocks)
        if self.chains and (feeds_blocks or not self.passed):
            return _SHARED_INPUT
        last = max(self.passed, default=-1)
        return self.head_slot if last == len(self.chains) - 1 else (last, _NECK, 0)

    def _by_order(self, path: str, number: int, feeds_blocks: bool) -> Slot:
        blocks = self.chains[number].blocks
        passed = self.passed.get(number)
        name = path.rpartition(".")[2].lower()
        if passed is not None and passed < len(blocks) - 1:
            return (number, _BLOCK, passed + self._opens_next(path, blocks[passed : passed + 2]))
        if feeds_blocks or re.search(r"(^|_)emb", name) or (passed is None and "final" not in name):
            return (number, _INPUT, 0)
        return (number, _NECK, 0)

    @staticmethod
    def _opens_next(path: str, blocks: Sequence[str]) -> bool:
        # What opens a stage (downsampling) shares more of its path with the block that follows.
        parts = path.split(".")
        before, after = (len(commonprefix([parts, block.split(".")])) for block in blocks)
        return after > before
