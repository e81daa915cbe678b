"""What a user may write for an average, and what is said of what is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from hf_transfer_plugin.average_kinds import AVERAGES
from hf_transfer_plugin.errors import ConfigError
from hf_transfer_plugin.records import Average, ChosenWeights

# what a user may write -> words of the error
WRONG: dict[str, tuple[Any, str]] = {
    "name": ("emma", "did you mean 'ema'"),
    "no name": ({"decay": 0.9}, "a name such as ema"),
    "option": ({"name": "soup", "member": 3}, "did you mean 'members'"),
    "text": ({"name": "soup", "spread": "2e0"}, "write 1.0e-3"),
    "too large": ({"name": "ema", "decay": 1.5}, "a number from 0 to 1"),
    "one member": ({"name": "soup", "members": 1}, "a whole number from 2 to 20"),
    "part of a count": ({"name": "wise_ft", "steps": 2.5}, "a whole number from 2 to 100"),
    "truth": ({"name": "ema", "decay": True}, "a number from 0 to 1"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said(case: str) -> None:
    config, words = WRONG[case]
    with pytest.raises(ConfigError, match=words) as caught:
        Average.from_config(config)
    assert caught.value.expected and caught.value.action


@pytest.mark.parametrize("name", AVERAGES)
def test_a_record_survives(name: str) -> None:
    average = Average.from_config(name)
    assert Average.from_json(average.to_json()) == average == Average.from_config(average.to_json())
    assert average.checked() and "{" not in average.cost
    assert all(
        option.low <= option.default <= option.high for option in average.kind.options.values()
    )


def test_a_choice_knows_what_it_was_made_from() -> None:
    chosen = ChosenWeights("ema", {"plain": 0.5, "ema": 0.6})
    assert (chosen.plain, chosen.reached, chosen.is_plain) == (0.5, 0.6, False)
    assert ChosenWeights.from_json(chosen.to_json()) == chosen
