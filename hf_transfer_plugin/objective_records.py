"""Which extra loss term a plan trains with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from hf_transfer_plugin.errors import ConfigError
from hf_transfer_plugin.named_options import (
    check_number,
    check_option,
    check_switch,
    kind_named,
    named_options,
)
from hf_transfer_plugin.objective_kinds import OBJECTIVES, ObjectiveKind
from hf_transfer_plugin.serialization import Record

__all__ = ["Objective"]


@dataclass(frozen=True)
class Objective(Record):
    """A loss term beside that of the task.

    Attributes:
        name: a key of `objective_kinds.OBJECTIVES`, such as "l2sp".
        options: numbers that replace the defaults, such as {"alpha": 0.1}.

    Examples:
        >>> Objective.from_config({"name": "l2sp", "alpha": 0.1}).settings
        {'alpha': 0.1, 'beta': 0.01}
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> ObjectiveKind:
        """Return what is known of this kind.

        Raises:
            ConfigError: for an unknown name.
        """
        return kind_named("objective", self.name, OBJECTIVES)

    @property
    def settings(self) -> dict[str, Any]:
        """Return every option with its value."""
        return {**self.kind.options, **self.options}

    @property
    def described(self) -> str:
        """Return name, source and options in words."""
        options = ", ".join(f"{key} {value:g}" for key, value in self.settings.items())
        return f"{self.name} ({self.kind.paper}; {options})"

    @classmethod
    def from_config(cls, config: str | Mapping[str, Any]) -> Self:
        """Build an objective from its name, or from `{name: l2sp, alpha: 0.1}`.

        Raises:
            ConfigError: for an unknown name or option, or a value of the wrong kind.
        """
        example = ("l2sp", "alpha: 0.1")
        name, options, _ = named_options("objective", config, OBJECTIVES, example)
        return cls(name, options).checked()

    def checked(self) -> Self:
        """Return the objective, once its name and its options are found right.

        Raises:
            ConfigError: naming what does not fit.
        """
        known = self.kind.options
        for key, value in self.options.items():
            check_option("objective", self.name, key, known)
            default = known[key]
            if isinstance(default, bool):
                check_switch("objective", self.name, key, value)
                continue
            is_count = isinstance(default, int)
            low = 1 if is_count else 0
            check_number("objective", self.name, key, value, low, is_count=is_count)
            if key in self.kind.positive and not value:
                raise ConfigError(
                    arrived=f"objective {self.name} with {key}: {value!r}",
                    expected="a number above 0",
                    action=f"correct {key}",
                )
        return self
