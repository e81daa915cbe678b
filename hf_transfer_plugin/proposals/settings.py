"""Peak learning rate and length of a training, from what ran at which rate here."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from hf_transfer_plugin.proposal_records import Facts, Reason
from hf_transfer_plugin.proposals.costs import cost_of, depths, within_budget
from hf_transfer_plugin.proposals.ways import Way

__all__ = ["epochs_in", "epochs_of", "length_reason", "rate_of", "rate_reason"]

Family = Literal["full", "lp_ft", "top", "head", "adapter", "few weights"]

_RESULTS = "recipes/benchmarks/results"
_FEW_WEIGHTS = ("ia3", "vera", "lokr", "layer_norm", "prefix_tuning", "prompt_tuning")
# (texts, family) -> the rate that validation chose here.
_MEASURED: Mapping[tuple[bool, Family], tuple[float, str]] = {
    (True, "full"): (1e-4, f"{_RESULTS}/adapters.md"),
    (True, "lp_ft"): (3e-4, f"{_RESULTS}/adapters.md"),
    (True, "top"): (3e-4, "docs/layer_profile.md"),
    (True, "head"): (1e-2, "recipes/benchmarks/README.md"),
    (True, "adapter"): (3e-3, f"{_RESULTS}/adapters.md"),
    (True, "few weights"): (1e-2, f"{_RESULTS}/adapters.md"),
    (False, "full"): (3e-4, f"{_RESULTS}/adapters.md"),
    (False, "lp_ft"): (1e-3, f"{_RESULTS}/adapters.md"),
    (False, "top"): (1e-3, "recipes/benchmarks/README.md"),
    (False, "head"): (3e-3, f"{_RESULTS}/adapters.md"),
    (False, "adapter"): (1e-3, f"{_RESULTS}/adapters.md"),
    (False, "few weights"): (3e-3, f"{_RESULTS}/adapters.md"),
}
# Classes of texts from which on all weights take a higher rate: between 6 and 77, by ratio.
_MANY_CLASSES = 22
_OF_MANY_CLASSES = (3e-4, f"{_RESULTS}/adapters.md")
# Images below which all weights take a higher rate: between 292 and 585, by ratio.
_FEW_ROWS = 410
_OF_FEW_ROWS = (1e-3, f"{_RESULTS}/objectives.jsonl")
# Weights from which on rates are conventions: in the middle, by ratio, of MiniLM and BERT-base.
_LARGE = 50_000_000
_DEVLIN = "Devlin et al., BERT (2019)"
_HE = "He et al., Masked Autoencoders (2022), 1e-3 for 256 rows a step"
_BIDERMAN = "Biderman et al., LoRA Learns Less and Forgets Less (2024): ten times the rate of full"
_LIU = "Liu et al., Few-Shot Parameter-Efficient Fine-Tuning (2022)"
_OF_LARGE: Mapping[tuple[bool, Family], tuple[float, str]] = {
    (True, "full"): (2e-5, _DEVLIN),
    (True, "lp_ft"): (2e-5, _DEVLIN),
    (True, "top"): (5e-5, _DEVLIN),
    (True, "adapter"): (2e-4, _BIDERMAN),
    (True, "few weights"): (3e-3, _LIU),
    (False, "full"): (1e-4, _HE),
    (False, "lp_ft"): (1e-4, _HE),
    (False, "top"): (1e-4, _HE),
    (False, "adapter"): (1e-3, _BIDERMAN),
    (False, "few weights"): (3e-3, _LIU),
}

# Steps of the measured runs on few rows lie between 110 and 250; all rows were seen three times.
_STEPS, _LEAST, _MOST = 250, 3, 20
# The head alone reads what was computed once.
_HEAD_STEPS, _HEAD_LEAST, _HEAD_MOST = 500, 10, 60
_MOSBACH = "Mosbach et al., On the Stability of Fine-tuning BERT (2021)"


def _family(way: Way, facts: Facts) -> Family:
    found = depths(way, facts.blocks)
    if max(found) == 0:
        return "head"
    if way.adapter is not None:
        return "few weights" if way.adapter.name in _FEW_WEIGHTS else "adapter"
    if max(found) < 1:
        return "top"
    return "full" if len(found) == 1 else "lp_ft"


def _rate(way: Way, facts: Facts) -> tuple[float, str, bool]:
    """Return the rate, its source, and whether it was measured on a network of about this size."""
    key = (facts.is_text, _family(way, facts))
    if facts.parameters > _LARGE and key in _OF_LARGE:
        return *_OF_LARGE[key], False
    if key == (True, "full") and len(facts.class_rows) >= _MANY_CLASSES:
        return *_OF_MANY_CLASSES, True
    if key == (False, "full") and facts.rows < _FEW_ROWS:
        return *_OF_FEW_ROWS, True
    return *_MEASURED[key], True


def rate_of(way: Way, facts: Facts) -> float | None:
    """Return the peak rate; None where the user's stays."""
    return None if facts.kept.has_rate else _rate(way, facts)[0]


def rate_reason(way: Way, facts: Facts) -> Reason:
    """Say why this rate."""
    if facts.kept.has_rate:
        grid = ", ".join(f"{rate:g}" for rate in facts.kept.learning_rates)
        written = grid or f"{facts.kept.training['learning_rate']}"
        return Reason("learning rate", written, "you wrote it", "", "your config")
    rate, source, measured = _rate(way, facts)
    if measured:
        network = "MiniLM" if facts.is_text else "EfficientNet-Lite0"
        size = "22.7" if facts.is_text else "3.4"
        why = f"validation chose it for {network} ({size} million weights) on most sets"
        return Reason("learning rate", f"{rate:g}", why, f"{rate:g}", source)
    why = f"a convention: {facts.parameters / 1e6:.0f} million weights were not measured here"
    return Reason("learning rate", f"{rate:g}", why, "", source)


def epochs_of(way: Way, facts: Facts) -> float:
    """Return passes over the labelled rows; those of the user where they are written.

    Where the usual length does not fit the budget, it is cut to what fits, but not below half.
    """
    usual = _usual_epochs(way, facts)
    if facts.kept.has_length:
        return usual
    for epochs in range(int(usual), max(_LEAST, math.ceil(usual / 2)) - 1, -1):
        if within_budget(cost_of(way, epochs, facts), facts):
            return float(epochs)
    return usual


def _usual_epochs(way: Way, facts: Facts) -> float:
    if facts.kept.has_length:
        return epochs_in(facts.kept.training, facts)
    alone = _family(way, facts) == "head"
    steps, least, most = (
        (_HEAD_STEPS, _HEAD_LEAST, _HEAD_MOST) if alone else (_STEPS, _LEAST, _MOST)
    )
    return float(min(most, max(least, math.ceil(steps * facts.batch_size / facts.rows))))


def epochs_in(training: Mapping[str, Any], facts: Facts) -> float:
    """Return passes over the labelled rows of arguments of Trainer, whose default is 3."""
    if training.get("max_steps", -1) > 0:
        return float(training["max_steps"]) * facts.batch_size / facts.rows
    return float(training.get("num_train_epochs", 3))


def length_reason(way: Way, epochs: float, facts: Facts) -> Reason:
    """Say why so many epochs."""
    if facts.kept.has_length:
        training = facts.kept.training
        written = f"{training.get('num_train_epochs', '')} epochs"
        if training.get("max_steps", -1) > 0:
            written = f"{training['max_steps']} steps"
        return Reason("length", written, "you wrote it", "", "your config")
    usual = _usual_epochs(way, facts)
    said = f"{epochs:g} epochs, {math.ceil(epochs * facts.rows / facts.batch_size)} steps"
    if epochs < usual:
        why = f"{usual:g} epochs would be the usual length, but the budget is "
        why += f"{facts.budget_minutes:g} minutes"
        return Reason("length", said, why, "", "your budget")
    if _family(way, facts) == "head":
        why = "about 500 steps: frozen layers are computed once, so epochs cost next to nothing"
        figure = "head alone, 10 epochs: 3.4 s, one forward pass: 3.7 s"
        return Reason("length", said, why, figure, "README.md")
    if epochs == _MOST:
        why = "about 250 steps would be more than 20 epochs, which the source takes on few rows"
        return Reason("length", said, why, "", _MOSBACH)
    why = "about 250 steps, at least 3 epochs: the lengths that the ways were measured at"
    return Reason("length", said, why, "pets, 585 rows, 250 steps", f"{_RESULTS}/adapters.md")
