"""ROC curves: who knew before and while a transfer trained that it would help or harm."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.lines import Line2D
from sklearn.metrics import roc_auc_score, roc_curve

from hf_transfer_plugin.report.canvas import GREY, PALETTE, legend, new_figure, png
from negative_transfer_comparison.during import above_control, rule_of
from negative_transfer_comparison.judged import JudgedPair
from negative_transfer_comparison.signals import signals_before

__all__ = ["roc_picture"]

_SHARES = (0.1, 0.25, 0.5)
_HEIGHT = 4.6


def roc_picture(pairs: Sequence[JudgedPair]) -> bytes:
    """Return a PNG: harm found over false alarms, of pairs that helped or harmed.

    Signals before training have one value a pair; those of the callback one for each seed.
    """
    decided = [each for each in pairs if each.outcome in ("helped", "harmed")]
    curves: dict[str, tuple[list[float], list[bool]]] = {}
    foretold = [each for each in decided if each.forecasts]
    if foretold:
        for name, signal in signals_before(foretold).items():
            if name.startswith("score ahead"):
                values = [-signal(each) for each in foretold]
                curves[f"before: {name}"] = (values, _harmed(foretold))
    rules = [rule_of(each) for each in decided]
    for share in _SHARES:
        values = [
            -above_control(pair, seed, share, rule)
            for pair, rule in zip(decided, rules, strict=True)
            for seed in range(len(pair.transfer))
        ]
        truth = [p.outcome == "harmed" for p in decided for _ in p.transfer]
        curves[f"callback at {share:.0%} of one seed"] = (values, truth)
    figure, (axes,) = new_figure(_HEIGHT)
    handles: list[object] = []
    for (name, (values, truth)), color in zip(curves.items(), PALETTE, strict=False):
        false, found, _ = roc_curve(truth, values)
        axes.plot(false, found, color=color, linewidth=1.8)
        label = f"{name} ({roc_auc_score(truth, values):.2f})"
        handles.append(Line2D([], [], color=color, label=label))
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=":")
    axes.set_xlabel("share of the pairs that helped, suspected")
    axes.set_ylabel("share of the pairs that harmed, found")
    axes.set_xticks(np.linspace(0, 1, 5))
    axes.set_yticks(np.linspace(0, 1, 5))
    legend(figure, handles, 1)
    return png(figure)


def _harmed(pairs: Sequence[JudgedPair]) -> list[bool]:
    return [each.outcome == "harmed" for each in pairs]
