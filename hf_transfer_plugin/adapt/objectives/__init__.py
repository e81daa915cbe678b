"""Loss terms beside that of the task, one a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hf_transfer_plugin.adapt.objectives.bss import BSS
from hf_transfer_plugin.adapt.objectives.cdan import CDAN
from hf_transfer_plugin.adapt.objectives.co_tuning import CoTuning
from hf_transfer_plugin.adapt.objectives.coral import CORAL
from hf_transfer_plugin.adapt.objectives.dann import DANN
from hf_transfer_plugin.adapt.objectives.delta import Delta
from hf_transfer_plugin.adapt.objectives.domain_confusion import DomainConfusion
from hf_transfer_plugin.adapt.objectives.feature_norm import FeatureNorm
from hf_transfer_plugin.adapt.objectives.l2sp import L2SP
from hf_transfer_plugin.adapt.objectives.loss_term import LossTerm
from hf_transfer_plugin.adapt.objectives.mcc import MCC
from hf_transfer_plugin.adapt.objectives.mmd import MMD
from hf_transfer_plugin.adapt.objectives.r_drop import RDrop
from hf_transfer_plugin.adapt.objectives.relational import Relational
from hf_transfer_plugin.objective_records import Objective

__all__ = [
    "BSS",
    "CDAN",
    "CORAL",
    "DANN",
    "L2SP",
    "MCC",
    "MMD",
    "CoTuning",
    "Delta",
    "DomainConfusion",
    "FeatureNorm",
    "RDrop",
    "Relational",
    "term_of",
]

_HOLDING = (L2SP, BSS, Delta, CoTuning, Relational, FeatureNorm, RDrop)
_ADAPTING = (DANN, CDAN, DomainConfusion, MMD, CORAL, MCC)
_TERMS: dict[str, type[LossTerm]] = {term.name: term for term in (*_HOLDING, *_ADAPTING)}


def term_of(objective: Objective | str | Mapping[str, Any]) -> LossTerm:
    """Return the term of an objective.

    Args:
        objective: a record, or what `Objective.from_config` takes.

    Raises:
        ConfigError: for an unknown name or option.
    """
    if not isinstance(objective, Objective):
        objective = Objective.from_config(objective)
    return _TERMS[objective.checked().name](**objective.settings)
