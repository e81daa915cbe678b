"""Whose labels a plan trains on, and what chooses where the target's are not read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from hf_transfer_plugin.objective_records import Objective

__all__ = ["CHOICES", "DEFAULT_CHOICE", "ChooseBy", "Criterion", "Labels", "reads_domains"]

#: Whose labels train: those of the data, of the source data, or of both.
Labels = Literal["target", "source", "both"]
ChooseBy = Literal["source", "importance", "information", "entropy", "density"]


@dataclass(frozen=True)
class Criterion:
    """What says how good weights are for a target without reading its labels.

    Attributes:
        paper: where it comes from; "" for common practice.
        reads: what it is, in a few words.
        greater: larger values are better.
    """

    paper: str
    reads: str
    greater: bool = True


CHOICES: Mapping[ChooseBy, Criterion] = MappingProxyType(
    {
        "source": Criterion("", "the judged metric on validation rows of the source"),
        "importance": Criterion(
            "importance-weighted validation, Sugiyama et al. 2007",
            "accuracy on validation rows of the source, each weighted by how much it resembles "
            "the target",
        ),
        "information": Criterion(
            "mutual information, Shi and Sha 2012; Musgrave et al. 2021",
            "how sure and how varied the answers on unlabelled rows of the target are, in nats",
        ),
        "entropy": Criterion(
            "prediction entropy, Morerio et al. 2018",
            "how unsure the answers on unlabelled rows of the target are, in nats",
            greater=False,
        ),
        "density": Criterion(
            "soft neighbourhood density, Saito et al. 2021",
            "how many neighbours the answers on unlabelled rows of the target have, in nats",
        ),
    }
)
DEFAULT_CHOICE: ChooseBy = "importance"


def reads_domains(objective: Objective | None) -> bool:
    """Tell whether a term reads labelled source rows and unlabelled target rows in one batch."""
    return objective is not None and "domains" in objective.kind.reads
