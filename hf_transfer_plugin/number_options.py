"""Records of a name with numbers as options, such as an objective: read, completed, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, Self

from hf_transfer_plugin.named_options import (
    check_number,
    check_option,
    kind_named,
    named_options,
)
from hf_transfer_plugin.serialization import Record

__all__ = ["Kind", "NumberOption", "NumberOptions"]


@dataclass(frozen=True)
class NumberOption:
    """A number with its default and its ends, which are allowed; a whole default is a count."""

    default: float
    low: float
    high: float


class Kind(Protocol):
    """What is known of a name."""

    @property
    def paper(self) -> str:
        """Return where the method comes from."""

    @property
    def options(self) -> Mapping[str, Any]:
        """Return option -> `NumberOption`, or its default alone where `_check` knows the rest."""


@dataclass(frozen=True)
class NumberOptions(Record):
    """A method by its name, with numbers that replace its defaults.

    Attributes:
        name: of the method.
        options: numbers by name.
    """

    what: ClassVar[str]
    known: ClassVar[Mapping[str, Kind]]
    example: ClassVar[tuple[str, str]]

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def settings(self) -> dict[str, Any]:
        """Return every option with its value."""
        known = self._known_options().items()
        return {key: getattr(each, "default", each) for key, each in known} | {**self.options}

    @property
    def described(self) -> str:
        """Return name, source and options in words."""
        options = ", ".join(f"{key} {value:g}" for key, value in self.settings.items())
        return f"{self.name} ({self.known[self.name].paper}; {options})"

    @classmethod
    def from_config(cls, config: str | Mapping[str, Any]) -> Self:
        """Build it from its name, or from a mapping of the name and options.

        Raises:
            ConfigError: for an unknown name or option, or a value that does not fit.
        """
        name, options, _ = named_options(cls.what, config, cls.known, cls.example)
        return cls(name, options).checked()

    def checked(self) -> Self:
        """Return it, once its name and its options are found right.

        Raises:
            ConfigError: naming what does not fit.
        """
        known = self._known_options()
        for key, value in self.options.items():
            check_option(self.what, self.name, key, known)
            self._check(key, value, known[key])
        return self

    def _known_options(self) -> Mapping[str, Any]:
        return kind_named(self.what, self.name, self.known).options

    def _check(self, key: str, value: Any, option: Any) -> None:
        """Raise a ConfigError for a value that does not fit its option."""
        is_count = isinstance(option.default, int)
        check_number(self.what, self.name, key, value, option.low, option.high, is_count=is_count)
