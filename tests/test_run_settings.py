"""Training arguments, whatever a version of transformers calls them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from transformers import TrainingArguments

from hf_transfer_plugin.run_settings import activation_checkpointing

_REENTRANT = {"use_reentrant": True}
_GIVEN: dict[str, dict[str, Any]] = {
    "since 5.23": {
        "activation_checkpointing": True,
        "activation_checkpointing_kwargs": _REENTRANT,
        "gradient_checkpointing": None,
        "gradient_checkpointing_kwargs": None,
    },
    "before": {"gradient_checkpointing": True, "gradient_checkpointing_kwargs": _REENTRANT},
}


@pytest.mark.parametrize("version", _GIVEN)
def test_activation_checkpointing_under_both_of_its_names(version: str) -> None:
    given = _GIVEN[version]
    assert activation_checkpointing(given) == (True, _REENTRANT)
    arguments = cast("TrainingArguments", SimpleNamespace(**given))
    assert activation_checkpointing(arguments) == (True, _REENTRANT)


def test_no_activation_checkpointing() -> None:
    assert activation_checkpointing({"gradient_checkpointing": False}) == (False, {})
    assert activation_checkpointing(TrainingArguments(use_cpu=True)) == (False, {})
