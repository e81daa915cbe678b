"""How source rows are weighed by their likeness to the target, and what the weights left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from hf_transfer_plugin.number_options import NumberOption, NumberOptions
from hf_transfer_plugin.serialization import Record

__all__ = ["SOURCE_WEIGHTS", "SourceWeights", "WeighedSource", "WeightKind"]

_COMPONENTS = NumberOption(100, 1, 10_000)


@dataclass(frozen=True)
class WeightKind:
    """One way to weigh rows.

    Attributes:
        paper: where the method comes from.
        options: option -> what it may be.
    """

    paper: str
    options: Mapping[str, NumberOption]


SOURCE_WEIGHTS: Mapping[str, WeightKind] = MappingProxyType(
    {
        "density_ratio": WeightKind(
            "ratio of densities, Bickel et al. 2007",
            {"least_share": NumberOption(0.25, 0.0, 0.99), "components": _COMPONENTS},
        ),
        "mean_matching": WeightKind(
            "kernel mean matching, Huang et al. 2007",
            {"bound": NumberOption(5.0, 1.0, 1e6), "components": _COMPONENTS},
        ),
    }
)


@dataclass(frozen=True)
class SourceWeights(NumberOptions):
    """Source rows come as often as they look like the target; no label of the target is read.

    Attributes:
        name: "density_ratio" (options: least_share of the source rows that is left in effect) or
            "mean_matching" (bound of a weight before scaling); both with "components", the
            principal components of the checkpoint's features that are compared.
        options: numbers that replace the defaults, such as {"least_share": 0.5}.

    Examples:
        >>> SourceWeights.from_config("density_ratio").settings
        {'least_share': 0.25, 'components': 100}
    """

    what: ClassVar[str] = "source_weights"
    known: ClassVar[Mapping[str, WeightKind]] = SOURCE_WEIGHTS
    example: ClassVar[tuple[str, str]] = ("density_ratio", "least_share: 0.5")


@dataclass(frozen=True)
class WeighedSource(Record):
    """What weights made of the source.

    Attributes:
        rows: labelled rows of train that come from the source.
        effective: as many rows of equal weight say as much (Kish 1965).
    """

    rows: int
    effective: float
