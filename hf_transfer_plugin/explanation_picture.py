"""An explanation as a picture: layer groups over optimizer steps."""

from __future__ import annotations

from collections.abc import Sequence

from hf_transfer_plugin.explanation import Explanation, PhaseCost
from hf_transfer_plugin.report.canvas import png
from hf_transfer_plugin.report.timeline import Band, draw_timeline

__all__ = ["draw", "drawn_bounds"]

_BASE = "base:"


def draw(explanation: Explanation) -> bytes:
    """Return the picture as PNG, head on top.

    Phases whose beginning depends on validation are drawn equally long, and hatched.
    """
    bounds = drawn_bounds(explanation.phases, explanation.total_steps)
    bands = [
        Band(
            phase.name,
            start,
            end,
            phase.rates,
            phase.uncertain,
            is_open=phase.starts_late or phase.ends_early,
        )
        for phase, (start, end) in zip(explanation.phases, bounds, strict=True)
    ]
    trained = {name for phase in explanation.phases for name in phase.rates}
    rows = []
    for name in reversed(explanation.groups):
        rows.append((name, name))
        if _BASE + name in trained:
            rows.append((_BASE + name, f"{name}, under adapters"))
    guessed = bounds != [(phase.start, phase.end) for phase in explanation.phases]
    figure = draw_timeline(
        rows,
        bands,
        along="optimizer step (phases of unknown length are drawn equally long)" if guessed else
        "optimizer step",
        rate="peak learning rate",
        curve=() if guessed else explanation.curve,
    )  # fmt: skip
    return png(figure)


def drawn_bounds(phases: Sequence[PhaseCost], total_steps: int) -> list[tuple[float, float]]:
    """Return where phases are drawn: those that share the rest of the run get equal parts of it.

    Args:
        phases: first to last.
        total_steps: optimizer steps of the run.
    """
    bounds: list[tuple[float, float]] = [(phase.start, phase.end) for phase in phases]
    waiting = [i for i, p in enumerate(phases) if p.ends_early and p.end == total_steps]
    if waiting:
        first, count = waiting[0], len(phases) - waiting[0]
        start = phases[first].start
        length = (total_steps - start) / count
        bounds[first:] = [(start + i * length, start + (i + 1) * length) for i in range(count)]
    return bounds
