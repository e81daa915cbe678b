"""Which extra loss term a plan trains with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from hf_transfer_plugin.errors import ConfigError
from hf_transfer_plugin.named_options import check_number, check_switch, kind_named
from hf_transfer_plugin.number_options import NumberOptions
from hf_transfer_plugin.objective_kinds import OBJECTIVES, ObjectiveKind

__all__ = ["Objective"]


@dataclass(frozen=True)
class Objective(NumberOptions):
    """A loss term beside that of the task.

    Attributes:
        name: a key of `objective_kinds.OBJECTIVES`, such as "l2sp".
        options: numbers that replace the defaults, such as {"alpha": 0.1}.

    Examples:
        >>> Objective.from_config({"name": "l2sp", "alpha": 0.1}).settings
        {'alpha': 0.1, 'beta': 0.01}
    """

    what: ClassVar[str] = "objective"
    known: ClassVar[Mapping[str, ObjectiveKind]] = OBJECTIVES
    example: ClassVar[tuple[str, str]] = ("l2sp", "alpha: 0.1")

    @property
    def kind(self) -> ObjectiveKind:
        """Return what is known of this kind.

        Raises:
            ConfigError: for an unknown name.
        """
        return kind_named(self.what, self.name, self.known)

    def _check(self, key: str, value: Any, option: Any) -> None:
        if isinstance(option, bool):
            check_switch(self.what, self.name, key, value)
            return
        is_count = isinstance(option, int)
        check_number(self.what, self.name, key, value, int(is_count), is_count=is_count)
        if key in self.kind.positive and not value:
            raise ConfigError(
                arrived=f"objective {self.name} with {key}: {value!r}",
                expected="a number above 0",
                action=f"correct {key}",
            )
