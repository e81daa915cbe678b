"""What schedules did in played runs: real schedules, on layer groups without a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hf_transfer_plugin.adapt.schedule_state import Measured
from hf_transfer_plugin.adapt.schedules import FreezingSchedule
from hf_transfer_plugin.layers import LayerGroup, LayerGroups
from hf_transfer_plugin.phases import Choice, Phase, Transition
from hf_transfer_plugin.records import Report
from tests.report import samples

__all__ = ["HISTORIES", "STEPS", "History", "report_of", "transitions"]

STEPS = 240


def named(*names: str) -> LayerGroups:
    return LayerGroups(tuple(LayerGroup(name, i, (name,), ()) for i, name in enumerate(names)))


def layers(count: int) -> LayerGroups:
    """A text encoder with so many layers and three groups more."""
    return named("embeddings", *(f"layer.{index}" for index in range(count)), "neck", "head")


def stages(*depths: int) -> LayerGroups:
    """A convolutional network with so many blocks in its stages and three groups more."""
    blocks = (f"blocks.{stage}.{i}" for stage, depth in enumerate(depths) for i in range(depth))
    return named("stem", *blocks, "neck", "head")


def transitions(
    schedule: FreezingSchedule,
    groups: LayerGroups,
    steps: int = STEPS,
    plateaus: Sequence[int] = (),
    frozen: Sequence[int] = (),
) -> tuple[Transition, ...]:
    """Return the moments of a run from which other groups train.

    Args:
        schedule: what is applied.
        groups: of the model.
        steps: of the run.
        plateaus: steps at which phases reached one.
        frozen: groups that have settled after each measurement.
    """
    made: list[Transition] = []
    for step in range(steps):
        state = schedule.at(
            step, steps, steps_per_epoch=40, plateaus=[p for p in plateaus if p <= step]
        )
        choice, measured = state.settings.choose, Measured()
        if choice is not None and choice.by == "settled_gradient":
            count = ([0, *frozen])[min(step // (choice.every or 1), len(frozen))]
            measured = Measured(frozen=groups.names[:count])
        factors = state.resolve(groups, measured)
        if not made or (made[-1].phase, made[-1].factors) != (state.phase, factors):
            made.append(Transition(step, state.phase, factors))
    return tuple(made)


@dataclass(frozen=True)
class History:
    """A schedule with what it did.

    Attributes:
        schedule: what was applied.
        groups: of the model.
        made: what happened.
        alt: fragments of the text about the picture.
        caption: fragments of the caption.
    """

    schedule: FreezingSchedule
    groups: LayerGroups
    made: tuple[Transition, ...]
    alt: tuple[str, ...]
    caption: tuple[str, ...] = ()


def _history(
    schedule: FreezingSchedule,
    groups: LayerGroups,
    alt: tuple[str, ...],
    caption: tuple[str, ...] = (),
    plateaus: Sequence[int] = (),
    frozen: Sequence[int] = (),
) -> History:
    made = transitions(schedule, groups, plateaus=plateaus, frozen=frozen)
    return History(schedule, groups, made, alt, caption)


SMALL, LARGE, IMAGES = layers(6), layers(11), stages(3, 4, 6, 6, 8, 8, 4)
SPECTRUM = FreezingSchedule((Phase(("top:0",), choose=Choice("signal_to_noise", share=0.25)),))

# What was played -> what it looks like and what is said about it.
HISTORIES: dict[str, History] = {
    "gradual": _history(
        FreezingSchedule.gradual_unfreezing(6).with_rates(decay=0.7),
        SMALL,
        ("Step 0 to 30 (“head”): neck to head at", "Step 210 to 240", "embeddings to head at"),
        ("seed 3", "Dashed lines divide the phases."),
    ),
    "lisa": _history(
        FreezingSchedule.lisa(2, every=12),
        LARGE,
        (
            "5 of 14 groups at a time at 5e-5, changed 19 times, at first embeddings to layer.0, "
            "layer.2, neck to head, at last embeddings, layer.8 to layer.9, neck to head.",
        ),
    ),
    "auto freeze": _history(
        FreezingSchedule.auto_freeze(every=40),
        SMALL,
        (
            "3 to 9 of 9 groups at a time at 5e-5, changed 4 times, at first embeddings to head, "
            "at last layer.5 to head.",
        ),
        frozen=(0, 2, 3, 5, 6),
    ),
    "plateau": _history(
        FreezingSchedule.chain_thaw(2).with_plateau(2),
        layers(2),
        ("Step 0 to 90 (“head”): neck to head", "Step 90 to 130 (“layer.0”): layer.0 at 5e-5"),
        ("“full” was not reached.",),
        plateaus=(90, 130),
    ),
    "many groups": _history(
        FreezingSchedule.lp_ft(0.3, rate=0.1),
        IMAGES,
        ("(“head”): neck to head at 5e-5.", "(“full”): stem to head at 5e-6."),
    ),
    "many phases": _history(
        FreezingSchedule.chain_thaw([group.name for group in IMAGES if group.is_block]),
        IMAGES,
        ("31 more phases.",),
    ),
    "adapters": _history(
        FreezingSchedule.adapters_first(0.5, base="top:2"),
        SMALL,
        (
            "(“adapters”): embeddings to head at 5e-5.",
            "embeddings to head, layer.4 to head under adapters at 5e-6 to 5e-5.",
        ),
    ),
    "matrices": _history(
        SPECTRUM,
        SMALL,
        ("(“top:0”): embeddings to head at 5e-5",),
        ("In “top:0” only the best 25% of the matrices trained",),
    ),
    "relative": _history(
        FreezingSchedule.auto_rgn(),
        SMALL,
        ("embeddings to head at 5e-5",),
        ("In “auto-RGN” measurements lowered the rates further.",),
    ),
}


def report_of(history: History) -> Report:
    """Return a report whose kept run did this."""
    made = samples.report()
    transfer = made.transfer
    names = [
        name for prefix in ("", "base:") for name in (prefix + g for g in history.groups.names)
    ]
    trained = {name for transition in history.made for name in transition.factors}
    changed = replace(
        transfer,
        plan=replace(transfer.plan, schedule=history.schedule.phases),
        groups=tuple(n for n in names if n in trained or not n.startswith("base:")),
        transitions=history.made,
    )
    return replace(made, results=(changed, *made.controls))
