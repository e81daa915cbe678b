"""The kinds of objectives, each with its source, its options and what it reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

__all__ = ["OBJECTIVES", "ObjectiveKind", "Reads"]

#: What a term is made from: the weights, what the head reads, what the blocks hand on, the same
#: of a frozen copy of the source, the head that the checkpoint came with, a second pass of the
#: model with other dropout masks, labelled source rows beside target rows with the label -100.
Reads = Literal["weights", "features", "layers", "source", "source_head", "second_pass", "domains"]


@dataclass(frozen=True)
class ObjectiveKind:
    """One extra loss term.

    Attributes:
        paper: where the method comes from.
        holds: what it asks of the network, in a few words.
        reads: what the term is made from.
        options: option -> its default; whole numbers are counts, True and False switches.
        cost: what it costs beside the step itself.
        idle: when it moves nothing, in a few words.
        positive: options that must not be 0.
        learns: it has a network of its own, which learns with the model.
    """

    paper: str
    holds: str
    reads: frozenset[Reads]
    options: Mapping[str, float] = field(default_factory=dict)
    cost: str = ""
    idle: str = "all that it reads is frozen"
    positive: frozenset[str] = frozenset()
    learns: bool = False

    @property
    def reads_domains(self) -> bool:
        """Tell whether each batch must hold rows of a source and of a target."""
        return "domains" in self.reads

    @property
    def reads_inputs(self) -> bool:
        """Tell whether it reads the whole input, which a cache of frozen layers leaves out."""
        return bool(self.reads & {"source", "source_head", "second_pass"})


_SECOND = "a frozen copy of the network in memory, and its forward pass on every batch"

_JUDGE = "a batch of as many target rows, and a discriminator of three layers with its optimizer"

OBJECTIVES: Mapping[str, ObjectiveKind] = MappingProxyType(
    {
        "l2sp": ObjectiveKind(
            "L2-SP, Li et al. 2018",
            "the weights stay near those of the source",
            frozenset({"weights"}),
            {"alpha": 0.01, "beta": 0.01},
            "a copy of the weights in memory, and no pass",
        ),
        "bss": ObjectiveKind(
            "batch spectral shrinkage, Chen et al. 2019",
            "the features of a batch lose their smallest singular values",
            frozenset({"features"}),
            {"eta": 0.001, "k": 1},
            "the singular values of one matrix [examples, features] in each pass",
        ),
        "delta": ObjectiveKind(
            "DELTA, Li et al. 2019",
            "what the blocks hand on stays near what those of the source do",
            frozenset({"layers", "features", "source"}),
            {"alpha": 0.01, "layer_decay": 1.0},
            _SECOND,
        ),
        "co_tuning": ObjectiveKind(
            "Co-Tuning, You et al. 2020",
            "the head of the source still tells the source classes that go with the label",
            frozenset({"features", "source_head"}),
            {"weight": 2.3},
            "a frozen copy of the network and of the source's head in memory, and one pass over "
            "the training rows before the first step",
        ),
        "relational": ObjectiveKind(
            "relational knowledge distillation, Park et al. 2019",
            "distances and angles between the features of a batch stay those of the source",
            frozenset({"features", "source"}),
            {"distance": 25.0, "angle": 50.0},
            _SECOND,
        ),
        "feature_norm": ObjectiveKind(
            "adaptive feature norm, Xu et al. 2019",
            "the features of the training rows grow longer",
            frozenset({"features"}),
            {"weight": 0.05, "delta": 1.0, "radius": 0.0},
            "the norms of one matrix [examples, features] in each pass",
        ),
        "r_drop": ObjectiveKind(
            "R-Drop, Liang et al. 2021",
            "two passes with other dropout masks tell the same classes",
            frozenset({"second_pass"}),
            {"alpha": 1.0},
            "a second pass forward and back on every batch, where dropout is on",
            "no dropout is on, which would make a second pass another one",
        ),
        "dann": ObjectiveKind(
            "DANN, Ganin et al. 2016",
            "a discriminator cannot tell source and target by their features",
            frozenset({"features", "domains"}),
            {"weight": 1.0, "warmup": 1000, "width": 1024, "rate": 0.001},
            _JUDGE,
            learns=True,
        ),
        "cdan": ObjectiveKind(
            "CDAN, Long et al. 2018",
            "a discriminator cannot tell source and target by their features and classes",
            frozenset({"features", "domains"}),
            {"weight": 1.0, "entropy": False, "warmup": 1000, "width": 1024, "rate": 0.001},
            _JUDGE,
            learns=True,
        ),
        "domain_confusion": ObjectiveKind(
            "domain confusion, Tzeng et al. 2015",
            "a discriminator finds source and target equally likely",
            frozenset({"features", "domains"}),
            {"weight": 1.0, "rate": 0.001},
            "a batch of as many target rows, and a linear discriminator with its optimizer",
            learns=True,
        ),
        "mmd": ObjectiveKind(
            "MK-MMD, Long et al. 2015",
            "the features of source and target have the same means under five kernels",
            frozenset({"features", "domains"}),
            {"weight": 1.0},
            "a batch of as many target rows, and the distances of all rows",
        ),
        "coral": ObjectiveKind(
            "Deep CORAL, Sun & Saenko 2016",
            "the features of source and target have the same covariances",
            frozenset({"features", "domains"}),
            {"weight": 1.0},
            "a batch of as many target rows, and two matrices [features, features]",
        ),
        "mcc": ObjectiveKind(
            "minimum class confusion, Jin et al. 2020",
            "what the model says of target rows does not waver between classes",
            frozenset({"domains"}),
            {"weight": 1.0, "temperature": 2.5},
            "a batch of as many target rows",
            positive=frozenset({"temperature"}),
        ),
    }
)
