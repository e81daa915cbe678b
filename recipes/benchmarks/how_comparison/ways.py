"""Ways to fine-tune, each with the rates or strengths that validation chooses from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "ADAPTERS",
    "HEAD",
    "OBJECTIVES",
    "PLAIN",
    "SCHEDULES",
    "Method",
    "adapter_ways",
    "objective_ways",
]

#: The way that all others are held against: all weights train, on the loss of the task.
PLAIN = "full"
#: The way that trains nothing else.
HEAD = "head alone"
_FULL: Mapping[str, Any] = {"name": "full"}
# Kind of data -> peak rates.
_OF_NETWORK = {"text": (1e-4, 3e-4, 1e-3), "images": (3e-4, 1e-3, 3e-3)}
_OF_ADAPTER = dict.fromkeys(("text", "images"), (1e-3, 3e-3, 1e-2))
_OF_FEW_WEIGHTS = dict.fromkeys(("text", "images"), (3e-3, 1e-2, 3e-2))
#: Factors on the strength of an objective as it comes, that one first.
_STRENGTHS = (1.0, 0.1, 10.0)


@dataclass(frozen=True)
class Method:
    """How a network is fine-tuned.

    Attributes:
        name: in the results.
        rates: kind of data -> peak learning rates; validation chooses. Empty: that of PLAIN.
        schedule: as a config has it.
        adapter: as a config has it; None without.
        objective: its name; "" without.
        weights: the options of the objective that its strength multiplies, as they come.
        kinds: of data that it is for.
    """

    name: str
    rates: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    schedule: Mapping[str, Any] = field(default_factory=lambda: _FULL)
    adapter: Mapping[str, Any] | None = None
    objective: str = ""
    weights: Mapping[str, float] = field(default_factory=dict)
    kinds: tuple[str, ...] = ("text", "images")

    @property
    def strengths(self) -> tuple[float, ...]:
        """Return the factors that validation chooses from."""
        return _STRENGTHS if self.objective else (1.0,)

    def objective_config(self, strength: float) -> dict[str, Any] | None:
        """Return the objective as a config has it, at a strength."""
        if not self.objective:
            return None
        return {"name": self.objective, **{k: v * strength for k, v in self.weights.items()}}


SCHEDULES: dict[str, Mapping[str, Any]] = {
    "lp_ft": {"name": "lp_ft", "fraction": 0.3},
    "gradual": {"name": "gradual_unfreezing", "layers": 4, "decay": 1 / 2.6},
    "decayed rates": {"name": "full", "decay": 0.8},
}
_TEXT_ONLY = ("adalora", "vera", "prefix_tuning", "prompt_tuning", "layer_norm")
_FEW_WEIGHTS = ("ia3", "vera", "lokr", "prefix_tuning", "prompt_tuning", "layer_norm")
#: Kinds of peft; trainable tokens are left out: nothing says which tokens.
ADAPTERS = (
    "lora",
    "ia3",
    "dora",
    "layer_norm",
    "adalora",
    "lokr",
    "vera",
    "boft",
    "oft",
    "loha",
    "rslora",
    "prefix_tuning",
    "prompt_tuning",
)
# Objective -> options that say how strong it is.
_WEIGHTS: dict[str, Mapping[str, float]] = {
    "l2sp": {"alpha": 0.01, "beta": 0.01},
    "bss": {"eta": 0.001},
    "delta": {"alpha": 0.01},
    "relational": {"distance": 25.0, "angle": 50.0},
    "co_tuning": {"weight": 2.3},
    "feature_norm": {"weight": 0.05},
    "r_drop": {"alpha": 1.0},
}
_KINDS: dict[str, tuple[str, ...]] = {"co_tuning": ("images",), "r_drop": ("text",)}
OBJECTIVES = tuple(_WEIGHTS)


def adapter_ways() -> dict[str, Method]:
    """Return full fine-tuning, schedules and adapters, the most telling first."""
    ways = [Method(PLAIN, _OF_NETWORK), _of_adapter("lora")]
    ways.append(_head_alone())
    ways += [Method(name, _OF_NETWORK, schedule) for name, schedule in SCHEDULES.items()]
    ways.append(Method("lora, lp_ft", _OF_ADAPTER, SCHEDULES["lp_ft"], {"name": "lora"}))
    ways += [_of_adapter(name) for name in ADAPTERS[1:]]
    ways.append(Method("lora+", _OF_ADAPTER, adapter={"name": "lora", "lora_plus": 16}))
    return {way.name: way for way in ways}


def objective_ways() -> dict[str, Method]:
    """Return full fine-tuning, the head alone for comparison, and the objectives."""
    ways = [Method(PLAIN, _OF_NETWORK), _head_alone()]
    for name, weights in _WEIGHTS.items():
        kinds = _KINDS.get(name, ("text", "images"))
        ways.append(Method(name, objective=name, weights=weights, kinds=kinds))
    return {way.name: way for way in ways}


def _head_alone() -> Method:
    return Method(HEAD, _OF_FEW_WEIGHTS, {"name": "linear_probe"})


def _of_adapter(name: str) -> Method:
    rates = _OF_FEW_WEIGHTS if name in _FEW_WEIGHTS else _OF_ADAPTER
    kinds = ("text",) if name in _TEXT_ONLY else ("text", "images")
    return Method(name, rates, adapter={"name": name}, kinds=kinds)
