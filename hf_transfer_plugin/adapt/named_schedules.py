"""The schedules that have a name in the literature, as constructors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from hf_transfer_plugin.adapt.numbers import require_count
from hf_transfer_plugin.adapt.phase_ends import end_every, end_to_end
from hf_transfer_plugin.phases import Choice, Phase

__all__ = ["NAMES", "NamedSchedules"]

#: The constructors that a config may name.
NAMES = (
    "adapters_first",
    "auto_freeze",
    "auto_rgn",
    "chain_thaw",
    "full",
    "gradual_unfreezing",
    "linear_probe",
    "lisa",
    "lp_ft",
    "spectrum",
    "surgical",
    "top_layers",
)


@dataclass(frozen=True)
class NamedSchedules:
    """Constructors of `FreezingSchedule`; each says where the method comes from."""

    phases: tuple[Phase, ...]

    @classmethod
    def linear_probe(cls) -> Self:
        """Train the head (and what lies between it and the last layer); freeze the rest."""
        return cls((Phase(train=("top:0",), name="head"),))

    @classmethod
    def full(cls, rate: float = 1.0) -> Self:
        """Train everything, with a factor on the learning rate."""
        return cls((Phase(train=("*",), rate=rate, name="full"),))

    @classmethod
    def top_layers(cls, n: int) -> Self:
        """Train the head and the `n` last layers; freeze the rest."""
        return cls((_top(require_count(n, "n", 0)),))

    @classmethod
    def gradual_unfreezing(
        cls,
        layers: int,
        *,
        per_phase: int = 1,
        head_fraction: float | None = None,
        final_fraction: float | None = None,
        train_all: bool = True,
        every_epochs: float | None = None,
        every_steps: int | None = None,
    ) -> Self:
        """Thaw from the head down, a few layers at a time (ULMFiT, Howard & Ruder 2018).

        The paper thaws one layer an epoch and gains from it only together with discriminative
        rates (`.with_rates(decay=1 / 2.6)`): gradual unfreezing alone hardly beats full
        fine-tuning.

        Args:
            layers: layers to thaw, counted from the head.
            per_phase: layers thawed at each transition.
            head_fraction: share of the run for the head alone; None: as long as the others.
            final_fraction: share of the run for the last phase; None: as long as the others.
            train_all: end with a phase that trains everything, embeddings included; otherwise
                end with the last of the `layers`.
            every_epochs: epochs from one transition to the next, in place of shares of the run;
                the last phase takes what is left.
            every_steps: the same in optimizer steps.

        Raises:
            ScheduleError: for numbers out of range, and for shares beside epochs or steps.
        """
        require_count(layers, "layers", 1)
        require_count(per_phase, "per_phase", 1)
        depths = [*range(0, layers, per_phase), layers]
        phases = [_top(depth) for depth in depths] + [Phase(("*",), name="full")] * bool(train_all)
        fixed = {0: head_fraction, len(phases) - 1: final_fraction}
        shares = {index: share for index, share in fixed.items() if share is not None}
        if every_epochs is None and every_steps is None:
            return cls(end_to_end(phases, shares))
        return cls(end_every(phases, shares, every_epochs, every_steps))

    @classmethod
    def lp_ft(cls, fraction: float = 0.3, rate: float = 1.0) -> Self:
        """Train the head first, then everything (LP-FT, Kumar et al. 2022).

        Args:
            fraction: share of the run for the head alone.
            rate: factor on the learning rate once everything trains.
        """
        head = Phase(train=("top:0",), until_fraction=fraction, name="head")
        return cls((head, Phase(train=("*",), rate=rate, name="full")))

    @classmethod
    def chain_thaw(cls, layers: int | Sequence[str]) -> Self:
        """Train the head alone, then each layer alone, then everything (DeepMoji, Felbo 2017).

        The phases are equally long. The paper ends each when validation stops improving
        (`.with_plateau(patience)`), and gives the embeddings a phase of their own before the
        first layer.

        Args:
            layers: number of layers that are named "layer.0" up, or the names of layer groups,
                such as `[group.name for group in layer_groups(model) if group.is_block]`.
        """
        if isinstance(layers, str) or not isinstance(layers, Sequence):
            count = require_count(layers, "layers", 1)
            layers = [f"layer.{depth}" for depth in range(count)]
        middle = [Phase(train=(name,), name=name) for name in layers]
        phases = [Phase(("top:0",), name="head"), *middle, Phase(("*",), name="full")]
        return cls(end_to_end(phases, {}))

    @classmethod
    def surgical(cls, *selectors: str) -> Self:
        """Train only the chosen layer groups (surgical fine-tuning, Lee et al. 2023).

        The paper keeps the head of the source; a head with new classes must be among the
        selectors, or it stays random.

        Args:
            *selectors: globs over layer group names, "top:N" or "bottom:N".
        """
        return cls((Phase(train=selectors, name="surgical"),))

    @classmethod
    def auto_rgn(cls, every: int = 1) -> Self:
        """Scale each layer group's rate by its relative gradient norm (Auto-RGN, Lee et al. 2023).

        The rate of a group is multiplied by gradient norm over weight norm, divided by the
        largest such ratio in the model. The paper measures once an epoch, over all data; here
        the gradient of the step itself is measured.

        Args:
            every: optimizer steps from one measurement to the next.
        """
        choice = Choice("relative_gradient", every=every)
        return cls((Phase(train=("*",), name="auto-RGN", choose=choice),))

    @classmethod
    def lisa(cls, layers: int = 2, *, every: int, seed: int = 0) -> Self:
        """Train input, head and a few random layers, drawn anew all along (LISA, Pan 2024).

        Layers that are not drawn lose their optimizer state, so its memory is that of the drawn
        ones. Made for large models: it saves memory, not time.

        Args:
            layers: layers that train at a time, beside what lies before the first and after the
                last.
            every: optimizer steps from one draw to the next; the paper takes 5 to 50.
            seed: of the draws.
        """
        choice = Choice("random", layers=layers, every=every, seed=seed)
        return cls((Phase(train=("bottom:0", "top:0"), name="LISA", choose=choice),))

    @classmethod
    def spectrum(cls, share: float = 0.25) -> Self:
        """Train the weight matrices with the best signal-to-noise ratio (Spectrum, Hartford 2024).

        Signal is the sum of the singular values above the Marchenko-Pastur bound of a random
        matrix with the same spread, noise the sum of those below; their ratio is divided by the
        largest singular value. Matrices of the same kind (all queries, all first feed-forward
        matrices, ...) are ranked among each other. What lies before the first and after the
        last layer always trains.

        Args:
            share: of the matrices of each kind that train, with their biases, in (0, 1].
        """
        choice = Choice("signal_to_noise", share=share)
        return cls((Phase(train=("bottom:0", "top:0"), name="Spectrum", choose=choice),))

    @classmethod
    def auto_freeze(cls, percentile: float = 50.0, *, every: int) -> Self:
        """Freeze layers from the input up as their gradients settle (AutoFreeze, Liu et al. 2021).

        After each `every` steps, layers freeze, counted from the input without a gap, whose
        gradient norm changed relatively less than the given percentile of all that still train.
        The head never freezes. The paper takes the norm of the summed gradients, which needs a
        second copy of them; here it is the mean norm over the steps.

        Args:
            percentile: in (0, 100); the paper takes 50.
            every: optimizer steps from one decision to the next.
        """
        choice = Choice("settled_gradient", percentile=percentile, every=every)
        return cls((Phase(train=("*",), name="AutoFreeze", choose=choice),))

    @classmethod
    def adapters_first(cls, fraction: float = 0.5, base: str = "*", base_rate: float = 0.1) -> Self:
        """Train PEFT adapters and head first, then the weights under the adapters as well.

        Args:
            fraction: share of the run for the adapters alone.
            base: selector of the layer groups whose own weights are thawed, such as "top:2".
            base_rate: factor on the learning rate of these weights.
        """
        adapters = Phase(train=("*",), until_fraction=fraction, name="adapters")
        rates: dict[str, Any] = {f"base:{base}": base_rate}
        both = Phase(train=("*", f"base:{base}"), rates=rates, name="adapters and base")
        return cls((adapters, both))


def _top(layers: int) -> Phase:
    return Phase(train=(f"top:{layers}",), name="head" if layers == 0 else f"top {layers}")
