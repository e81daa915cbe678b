"""What a user may write for an objective, and what is said of what is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from hf_transfer_plugin.adapt.objectives import BSS, term_of
from hf_transfer_plugin.errors import ConfigError
from hf_transfer_plugin.records import Objective

# what a user may write -> words of the error
WRONG: dict[str, tuple[Any, str]] = {
    "name": ("l2ps", "did you mean 'l2sp'"),
    "name of the paper": ("rdrop", "did you mean 'r_drop'"),
    "no name": ({"alpha": 1.0}, "a name such as l2sp"),
    "list": (["l2sp"], "a name such as l2sp"),
    "option": ({"name": "l2sp", "alfa": 1.0}, "did you mean 'alpha'"),
    "text": ({"name": "l2sp", "alpha": "1e-3"}, "write 1.0e-3"),
    "negative radius": ({"name": "feature_norm", "radius": -25.0}, "a number from 0 up"),
    "negative": ({"name": "delta", "alpha": -1.0}, "a number from 0 up"),
    "infinite": ({"name": "delta", "alpha": float("inf")}, "a number from 0 up"),
    "truth": ({"name": "relational", "angle": True}, "a number from 0 up"),
    "part of a count": ({"name": "bss", "k": 1.5}, "a whole number from 1 up"),
    "count of none": ({"name": "bss", "k": 0}, "a whole number from 1 up"),
    "neither on nor off": ({"name": "cdan", "entropy": 2}, "cdan with entropy: 2"),
    "a word for on": ({"name": "cdan", "entropy": "yes"}, "true or false"),
    "no temperature": ({"name": "mcc", "temperature": 0}, "a number above 0"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said(case: str) -> None:
    config, words = WRONG[case]
    with pytest.raises(ConfigError, match=words) as caught:
        Objective.from_config(config)
    assert caught.value.expected and caught.value.action


@pytest.mark.parametrize("written", [True, 1, 1.0])
def test_a_switch_is_on(written: Any) -> None:
    term: Any = term_of({"name": "cdan", "entropy": written})
    assert term.entropy is True and "entropy 1" in term.record.described


def test_a_term_is_checked_like_its_record() -> None:
    with pytest.raises(ConfigError, match="objective bss with k: 0"):
        BSS(k=0)


def test_a_record_survives_and_makes_its_term() -> None:
    objective = Objective.from_config({"name": "bss", "k": 3})
    assert Objective.from_json(objective.to_json()) == objective
    assert Objective.from_config(objective.to_json()) == objective
    term = term_of(objective)
    assert isinstance(term, BSS) and (term.eta, term.k) == (0.001, 3)
    assert objective.described.endswith("Chen et al. 2019; eta 0.001, k 3)")
