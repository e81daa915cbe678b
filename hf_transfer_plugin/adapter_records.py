"""Which adapter a plan trains, and in which form its model is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Self

from hf_transfer_plugin.adapter_kinds import KINDS, AdapterKind
from hf_transfer_plugin.errors import ConfigError
from hf_transfer_plugin.named_options import check_option, kind_named, named_options
from hf_transfer_plugin.serialization import Record

__all__ = ["Adapter"]

_OWN = ("keep", "lora_plus")
_KEEPS = ("auto", "merged", "adapter")
_LORA_PLUS = ("lora", "rslora", "dora")
# What the model decides, or what tells peft things that a run tells it.
_DECIDED = frozenset(
    {"task_type", "peft_type", "auto_mapping", "peft_version", "base_model_name_or_path"}
    | {"revision", "inference_mode", "modules_to_save"}
)


@dataclass(frozen=True)
class Adapter(Record):
    """New parameters on a frozen network, through peft.

    Attributes:
        name: a key of `adapter_kinds.KINDS`, such as "lora".
        options: fields of the configuration class in peft, such as {"r": 8}.
        keep: how a run keeps the model. "merged" adds the adapter to the weights: plain
            transformers loads it; "adapter" keeps what is new alone: peft loads it on the
            checkpoint; "auto" merges where the kind can be merged.
        lora_plus: rate of the B matrices over that of everything else (LoRA+; the paper takes
            16); None: one rate.

    Examples:
        >>> Adapter.from_config({"name": "lora", "r": 4}).options
        {'r': 4}
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    keep: Literal["auto", "merged", "adapter"] = "auto"
    lora_plus: float | None = None

    @property
    def kind(self) -> AdapterKind:
        """Return what is known of this kind.

        Raises:
            ConfigError: for an unknown name.
        """
        return kind_named("adapter", self.name, KINDS)

    @property
    def is_merged(self) -> bool:
        """Tell whether a run keeps a network in its old form."""
        return self.keep == "merged" or (self.keep == "auto" and self.kind.merges)

    @classmethod
    def from_config(cls, config: str | Mapping[str, Any]) -> Self:
        """Build an adapter from its name, or from `{name: lora, r: 8, keep: adapter}`.

        Args:
            config: name, `keep`, `lora_plus`, and any option of the configuration class in peft.

        Raises:
            ConfigError: for an unknown name or option, or a value that contradicts the kind.
        """
        example = ("lora", "r: 8")
        name, options, own = named_options("adapter", config, KINDS, example, _OWN)
        return cls(name, options, **own).checked()

    def checked(self) -> Self:
        """Return the adapter, once its name and the names of its options are found right.

        Raises:
            ConfigError: naming what does not fit.
        """
        known = _options_of(self.kind)
        for key in self.options:
            check_option("adapter", self.name, key, known, _OWN)
        if self.keep not in _KEEPS:
            raise ConfigError(
                arrived=f"adapter {self.name} with keep: {self.keep!r}",
                expected="one of " + ", ".join(_KEEPS),
                action="correct keep",
            )
        if self.keep == "merged" and not self.kind.merges:
            raise ConfigError(
                arrived=f"adapter {self.name} with keep: merged",
                expected="keep: adapter, for its vectors are no part of any weight",
                action="remove keep, or choose another adapter",
            )
        self._check_lora_plus()
        return self

    def _check_lora_plus(self) -> None:
        ratio = self.lora_plus
        if ratio is None:
            return
        number = isinstance(ratio, int | float) and not isinstance(ratio, bool)
        if self.name not in _LORA_PLUS or not number or not 1 <= ratio < float("inf"):
            raise ConfigError(
                arrived=f"adapter {self.name} with lora_plus: {ratio!r}",
                expected=f"a ratio of rates from 1 up, with one of {', '.join(_LORA_PLUS)}",
                action="correct or remove lora_plus",
            )


def _options_of(kind: AdapterKind) -> tuple[str, ...]:
    """Return the options of a kind that a user may set, sorted."""
    if kind.only:
        return kind.only
    import peft

    names = {each.name for each in fields(getattr(peft, kind.config)) if each.init}
    return tuple(sorted(names - _DECIDED - set(kind.fixed)))
