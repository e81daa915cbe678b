"""What further pretraining on unlabelled texts may be asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hf_transfer_plugin.errors import ConfigError
from hf_transfer_plugin.processes import world_size

__all__ = ["check_options"]


def check_options(options: Mapping[str, Any]) -> None:
    """Raise ConfigError for an option of masked-language pretraining that is out of range."""
    shares = ("mask_share", "validation_share")
    counts = ("epochs", "batch_size", "max_length", "patience")
    for name, value in options.items():
        if name in shares and not 0 < value < 1:
            expected = "a share between 0 and 1"
        elif name in counts and (type(value) is not int or value < 1):
            expected = "a whole number from 1"
        elif name == "learning_rate" and not value > 0:
            expected = "a number above 0"
        else:
            continue
        raise ConfigError(f"{name}={value!r}", expected, f"correct {name}")
    if options["batch_size"] % world_size():
        raise ConfigError(
            arrived=f"batch_size={options['batch_size']} for {world_size()} processes",
            expected="a batch size that can be divided by them",
            action="change batch_size or the number of processes",
        )
