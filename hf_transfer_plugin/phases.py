"""A phase of a freezing schedule as data: what trains, until when, at which rates."""

from __future__ import annotations

from dataclasses import dataclass, field

from hf_transfer_plugin.serialization import Record

__all__ = ["Choice", "Phase", "Transition"]


@dataclass(frozen=True)
class Choice(Record):
    """A choice among layers that is made by lot or by a measurement while training runs.

    Attributes:
        by: "random": beside `train`, `layers` blocks are drawn every `every` steps (LISA, Pan
            et al. 2024). "signal_to_noise": beside `train`, the best `share` of the weight
            matrices of each kind, measured when the phase begins (Spectrum, Hartford et al.
            2024). "settled_gradient": of `train`, counted from the input, layers freeze whose
            gradient norm changed least over the last `every` steps, up to `percentile` of all
            (AutoFreeze, Liu et al. 2021). "relative_gradient": the rate of each layer group is
            scaled by gradient norm over weight norm, largest 1, measured every `every` steps
            (Auto-RGN, Lee et al. 2023).
        layers: blocks that are drawn.
        share: of the matrices of each kind, in (0, 1].
        percentile: in (0, 100).
        every: optimizer steps from one draw or measurement to the next.
        seed: of the draw.
    """

    by: str
    layers: int | None = None
    share: float | None = None
    percentile: float | None = None
    every: int | None = None
    seed: int | None = None


@dataclass(frozen=True)
class Phase(Record):
    """A stretch of training in which the same layer groups train.

    Attributes:
        train: selectors of the layer groups that train: a glob over group names ("layer.1*",
            "head", "*"), "top:N" (the head, what lies between it and the last layer, and the N
            last layers) or "bottom:N" (what lies before the first layer, and the N first
            layers). "base:SELECTOR" means the weights under PEFT adapters in these groups.
        until_fraction: share of all optimizer steps at which the phase ends, in (0, 1].
        until_step: optimizer step at which the phase ends.
        rate: factor on the learning rate while the phase lasts.
        name: shown in logs and pictures.
        until_epoch: epoch, counted from the start of the run, at which the phase ends. The last
            phase has no end.
        until_plateau: the phase ends after this many evaluations without a better value of
            Trainer's `metric_for_best_model` (evaluation loss when that is not set), at the
            latest at its other end when it has one.
        restore_best: begin the next phase with the best weights of a phase that ends on a
            plateau.
        decay: factor on the rate for each layer group further from the head, in (0, 1]: head 1,
            last layer `decay`, the one before it `decay` squared, ...
        rates: selector -> factor on the rate of these groups, beside `rate` and `decay`.
        curve: shape of the rate within the phase, begun anew at its start: "constant", "linear",
            "cosine", "slanted_triangular" (Howard & Ruder 2018). Empty: Trainer's scheduler,
            which spans the whole run.
        warmup: share of the phase in which the rate of a curve rises from 0, in [0, 1).
        choose: further choice among the layer groups, by lot or by measurement.
    """

    train: tuple[str, ...]
    until_fraction: float | None = None
    until_step: int | None = None
    rate: float = 1.0
    name: str = ""
    until_epoch: float | None = None
    until_plateau: int | None = None
    restore_best: bool = True
    decay: float = 1.0
    rates: dict[str, float] = field(default_factory=dict, hash=False)
    curve: str = ""
    warmup: float = 0.0
    choose: Choice | None = None


@dataclass(frozen=True)
class Transition(Record):
    """A moment of a run from which other layer groups train.

    Attributes:
        step: optimizer steps made before it.
        phase: index of the phase that goes on or begins.
        factors: layer group that trains from here -> factor on its learning rate, input first.
    """

    step: int
    phase: int
    factors: dict[str, float] = field(hash=False)
