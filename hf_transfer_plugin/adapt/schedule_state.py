"""What a schedule says about one optimizer step, and what that means for a model."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from hf_transfer_plugin.adapt.rate_curves import curve_factor
from hf_transfer_plugin.errors import ScheduleError
from hf_transfer_plugin.layers import LayerGroups, select_groups
from hf_transfer_plugin.phases import Phase

__all__ = ["BASE", "Measured", "ScheduleState", "select_trained", "trained_later"]

#: Prefix of selectors and names that mean the weights under PEFT adapters.
BASE = "base:"


@dataclass(frozen=True)
class Measured:
    """What a phase has measured so far.

    Attributes:
        frozen: layer groups whose gradient has settled.
        ratios: layer group -> its rate by relative gradient norm, largest 1.
        matrices: names of the parameters with the best signal-to-noise ratio.
    """

    frozen: tuple[str, ...] = ()
    ratios: Mapping[str, float] = field(default_factory=dict)
    matrices: tuple[str, ...] = ()


@dataclass(frozen=True)
class ScheduleState:
    """What holds at one optimizer step.

    Attributes:
        phase: index of the phase, from 0.
        settings: the phase itself.
        start: first optimizer step of the phase.
        end: the step after its last, as far as it is known.
        draw: how many times random layers were drawn before in this phase.
    """

    phase: int
    settings: Phase
    start: int
    end: int
    draw: int = 0

    @property
    def name(self) -> str:
        """The name of the phase, or its selectors when it has none."""
        return self.settings.name or " ".join(self.settings.train)

    @property
    def label(self) -> str:
        """How errors and logs name the phase."""
        return f'phase {self.phase} ("{self.name}")'

    @property
    def train(self) -> tuple[str, ...]:
        """Selectors of the layer groups that train."""
        return self.settings.train

    @property
    def rate(self) -> float:
        """Factor on the learning rate of every layer group."""
        return self.settings.rate

    def curve(self, step: int) -> float | None:
        """Return the factor on the peak rate at a step; None leaves it to Trainer's scheduler.

        Args:
            step: optimizer steps of the whole run made before this one.
        """
        if not self.settings.curve:
            return None
        length = self.end - self.start
        return curve_factor(self.settings.curve, self.settings.warmup, step - self.start, length)

    def resolve(self, groups: LayerGroups, measured: Measured | None = None) -> dict[str, float]:
        """Return the name of each layer group that trains -> factor on its learning rate.

        Weights under adapters that train appear as "base:NAME".

        Args:
            groups: `layer_groups(model)`.
            measured: what the phase has measured; without it, all that may train.

        Raises:
            ScheduleError: when a selector matches no layer group.
        """
        measured = measured or Measured()
        names = select_trained(groups, self.train)
        names = _in_order(groups, {*names, *self.drawn(groups), *self.partial(groups)})
        ratios = measured.ratios
        factors = _factors(groups, self.settings)
        return {
            name: factors[name] * ratios.get(name, 1.0)
            for name in names
            if name not in measured.frozen
        }

    def partial(self, groups: LayerGroups) -> tuple[str, ...]:
        """Return the layer groups of which only measured matrices train."""
        choice = self.settings.choose
        if choice is None or choice.by != "signal_to_noise":
            return ()
        whole = select_trained(groups, self.train)
        return tuple(name for name in groups.names if name not in whole)

    def in_the_draw(self, groups: LayerGroups) -> tuple[str, ...]:
        """Return the blocks from which random layers are drawn; none without a draw."""
        choice = self.settings.choose
        if choice is None or choice.by != "random":
            return ()
        always = select_trained(groups, self.train)
        return tuple(g.name for g in groups if g.is_block and g.name not in always)

    def drawn(self, groups: LayerGroups) -> tuple[str, ...]:
        """Return the blocks that are drawn at random, beside what always trains.

        The draw depends on seed, draw number and names alone, so it is the same in every
        process, on every machine and after a resume.

        Raises:
            ScheduleError: when there are fewer blocks than shall be drawn.
        """
        choice = self.settings.choose
        if choice is None or choice.by != "random":
            return ()
        blocks = self.in_the_draw(groups)
        wanted = choice.layers or 0
        if wanted > len(blocks):
            raise ScheduleError(
                f"{self.label} draws {wanted} layers, and {len(blocks)} are left beside "
                f"{', '.join(select_trained(groups, self.train))}",
                f"at most {len(blocks)} layers",
                "lower layers, or name fewer layer groups in train",
            )
        lots = {name: _lot(f"{choice.seed}:{self.draw}:{name}") for name in blocks}
        return tuple(sorted(blocks, key=lots.__getitem__)[:wanted])


def trained_later(
    states: Sequence[ScheduleState], groups: LayerGroups, names: Iterable[str]
) -> set[str]:
    """Return what keeps its optimizer state, as a phase to come trains it or may choose it.

    Args:
        states: of the phases to come.
        groups: `layer_groups(model)`.
        names: all that can train; what a phase will choose of it is not known yet.
    """
    later: set[str] = set()
    for state in states:
        later.update(state.resolve(groups))
        later.update(names if state.settings.choose else ())
    return later


def _lot(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def select_trained(groups: LayerGroups, selectors: Sequence[str]) -> tuple[str, ...]:
    """Resolve selectors, "base:SELECTOR" among them, to names in order of depth.

    Raises:
        ScheduleError: when a selector matches no layer group.
    """
    chosen: set[str] = set()
    for selector in selectors:
        prefix = BASE if selector.startswith(BASE) else ""
        names = select_groups(groups, (selector.removeprefix(prefix),))
        chosen.update(prefix + name for name in names)
    return _in_order(groups, chosen)


def _in_order(groups: LayerGroups, chosen: set[str]) -> tuple[str, ...]:
    every = (prefix + name for name in groups.names for prefix in ("", BASE))
    return tuple(name for name in every if name in chosen)


def _factors(groups: LayerGroups, phase: Phase) -> dict[str, float]:
    """Return layer group -> factor on its rate, whether it trains or not."""
    top = groups.behind_blocks
    factors = {
        prefix + group.name: phase.rate * phase.decay ** max(0, top - group.depth)
        for group in groups
        for prefix in ("", BASE)
    }
    taken: dict[str, str] = {}
    for selector, rate in phase.rates.items():
        for name in select_trained(groups, (selector,)):
            if name in taken:
                raise ScheduleError(
                    f'rates names layer group "{name}" twice: {taken[name]!r} and {selector!r}',
                    "one rate for each layer group",
                    "make the selectors narrower",
                )
            taken[name] = selector
            factors[name] *= rate
    return factors
