"""The schedule as a pure function: boundaries, states, and the text of every error."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hf_transfer_plugin.adapt.named_schedules import NAMES, NamedSchedules
from hf_transfer_plugin.adapt.schedule_state import ScheduleState
from hf_transfer_plugin.adapt.schedules import FreezingSchedule
from hf_transfer_plugin.errors import ScheduleError
from hf_transfer_plugin.records import Phase

LR = {"until_fraction": 0.5}

# name -> (schedule, total steps, selectors of each phase, boundaries)
SCHEDULES: dict[str, tuple[FreezingSchedule, int, list[str], tuple[tuple[int, int], ...]]] = {
    "linear_probe": (FreezingSchedule.linear_probe(), 10, ["top:0"], ((0, 10),)),
    "full": (FreezingSchedule.full(rate=0.5), 10, ["*"], ((0, 10),)),
    "top_layers": (FreezingSchedule.top_layers(2), 10, ["top:2"], ((0, 10),)),
    "lp_ft": (FreezingSchedule.lp_ft(), 10, ["top:0", "*"], ((0, 3), (3, 10))),
    "lp_ft fraction": (FreezingSchedule.lp_ft(0.5, rate=0.1), 5, ["top:0", "*"], ((0, 3), (3, 5))),
    "gradual": (
        FreezingSchedule.gradual_unfreezing(2),
        8,
        ["top:0", "top:1", "top:2", "*"],
        ((0, 2), (2, 4), (4, 6), (6, 8)),
    ),
    "gradual in pairs": (
        FreezingSchedule.gradual_unfreezing(3, per_phase=2, head_fraction=0.1, final_fraction=0.5),
        20,
        ["top:0", "top:2", "top:3", "*"],
        ((0, 2), (2, 6), (6, 10), (10, 20)),
    ),
    "gradual, top only": (
        FreezingSchedule.gradual_unfreezing(1, train_all=False),
        4,
        ["top:0", "top:1"],
        ((0, 2), (2, 4)),
    ),
    "chain_thaw": (
        FreezingSchedule.chain_thaw(2),
        8,
        ["top:0", "layer.0", "layer.1", "*"],
        ((0, 2), (2, 4), (4, 6), (6, 8)),
    ),
    "chain_thaw by name": (
        FreezingSchedule.chain_thaw(["stem", "stages.0.layers.0"]),
        4,
        ["top:0", "stem", "stages.0.layers.0", "*"],
        ((0, 1), (1, 2), (2, 3), (3, 4)),
    ),
    "lisa": (FreezingSchedule.lisa(1, every=2), 4, ["bottom:0 top:0"], ((0, 4),)),
    "spectrum": (FreezingSchedule.spectrum(0.5), 4, ["bottom:0 top:0"], ((0, 4),)),
    "auto_rgn": (FreezingSchedule.auto_rgn(every=2), 4, ["*"], ((0, 4),)),
    "auto_freeze": (FreezingSchedule.auto_freeze(every=2), 4, ["*"], ((0, 4),)),
    "adapters_first": (FreezingSchedule.adapters_first(), 4, ["*", "* base:*"], ((0, 2), (2, 4))),
    "surgical": (FreezingSchedule.surgical("layer.0"), 3, ["layer.0"], ((0, 3),)),
    "steps and fractions": (
        FreezingSchedule.from_phases(
            [{"train": "head", "until_step": 3}, Phase(("layer.1",), 0.5), {"train": ["*"]}]
        ),
        10,
        ["head", "layer.1", "*"],
        ((0, 3), (3, 5), (5, 10)),
    ),
    "gradual by steps": (
        FreezingSchedule.gradual_unfreezing(2, every_steps=2),
        9,
        ["top:0", "top:1", "top:2", "*"],
        ((0, 2), (2, 4), (4, 6), (6, 9)),
    ),
    "squeezed: a step for each": (
        FreezingSchedule.gradual_unfreezing(2, head_fraction=0.9),
        4,
        ["top:0", "top:1", "top:2", "*"],
        ((0, 1), (1, 2), (2, 3), (3, 4)),
    ),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_phases_and_boundaries(name: str) -> None:
    schedule, total, selectors, bounds = SCHEDULES[name]
    assert [" ".join(phase.train) for phase in schedule.phases] == selectors
    assert schedule.boundaries(total) == bounds
    covered = [schedule.at(step, total).phase for step in range(total)]
    assert covered == [i for i, (start, end) in enumerate(bounds) for _ in range(start, end)]
    assert schedule.at(total, total) == schedule.at(total - 1, total)
    assert FreezingSchedule.from_config(schedule.to_config()) == schedule
    assert len({schedule, FreezingSchedule(schedule.phases)}) == 1


def test_every_constructor_has_a_name_in_configs_and_a_case_here() -> None:
    constructors = {
        name for name, member in vars(NamedSchedules).items() if isinstance(member, classmethod)
    }
    assert constructors == set(NAMES)
    words = {"gradual": "gradual_unfreezing"}
    cases = {words.get(case, case) for case in (re.split("[ ,]", name)[0] for name in SCHEDULES)}
    assert constructors <= cases and len(SCHEDULES) == 19


@pytest.mark.parametrize("total", [3, 4, 5, 7, 19, 100, 10_001])
def test_boundaries_tile_the_run(total: int) -> None:
    schedule = FreezingSchedule.gradual_unfreezing(1, head_fraction=0.001)
    bounds = schedule.boundaries(total)
    assert bounds[0][0] == 0 and bounds[-1][1] == total
    assert all(left[1] == right[0] for left, right in zip(bounds, bounds[1:], strict=False))
    assert all(start < end for start, end in bounds)


def test_phases_that_end_at_an_epoch() -> None:
    schedule = FreezingSchedule.gradual_unfreezing(2, every_epochs=1)
    assert schedule.boundaries(40, steps_per_epoch=9) == ((0, 9), (9, 18), (18, 27), (27, 40))
    assert schedule.at(9, 40, steps_per_epoch=9).name == "top 1"
    half = FreezingSchedule.gradual_unfreezing(1, every_epochs=0.5)
    assert half.boundaries(7, steps_per_epoch=5) == ((0, 3), (3, 5), (5, 7))


def test_phases_that_wait_for_a_plateau() -> None:
    schedule = FreezingSchedule.gradual_unfreezing(1).with_plateau(2)
    assert schedule.boundaries(10) == ((0, 10), (10, 10), (10, 10))
    assert schedule.at(9, 10).phase == schedule.at(10, 10).phase == 0
    assert schedule.boundaries(10, plateaus=[3]) == ((0, 3), (3, 10), (10, 10))
    assert schedule.boundaries(10, plateaus=[3, 7]) == ((0, 3), (3, 7), (7, 10))
    assert [schedule.at(step, 10, plateaus=[3, 7]).phase for step in (2, 3, 6, 7, 10)] == [
        0,
        1,
        1,
        2,
        2,
    ]


def test_latest_end_of_a_phase_that_waits() -> None:
    waits = {"until_plateau": 1, "until_step": 4}
    schedule = FreezingSchedule.from_phases(
        [{"train": "top:0", **waits}, {"train": "top:1", "until_plateau": 1}, {"train": "*"}]
    )
    assert schedule.boundaries(9) == ((0, 4), (4, 9), (9, 9))
    # The first phase ended at its latest step, so the plateau is that of the second.
    assert schedule.boundaries(9, plateaus=[6]) == ((0, 4), (4, 6), (6, 9))
    assert schedule.boundaries(9, plateaus=[2, 6]) == ((0, 2), (2, 6), (6, 9))


def test_draws_follow_from_the_step() -> None:
    schedule = FreezingSchedule.from_phases(
        [{"train": "head", "until_step": 3}]
        + [{"train": "head", "choose": {"by": "random", "layers": 1, "every": 2}}]
    )
    assert [schedule.at(step, 8).draw for step in range(9)] == [0, 0, 0, 0, 0, 1, 1, 2, 2]


def test_config_takes_rates_and_patience_beside_any_name() -> None:
    config = {"name": "gradual_unfreezing", "layers": 2, "decay": 0.4, "curve": "linear"}
    plain = FreezingSchedule.gradual_unfreezing(2).with_rates(decay=0.4, curve="linear")
    assert FreezingSchedule.from_config(config) == plain
    waiting = FreezingSchedule.from_config(config | {"patience": 3, "restore_best": False})
    assert waiting == plain.with_plateau(3, restore_best=False)
    assert FreezingSchedule.from_config(waiting.to_config()) == waiting


def test_state_at_a_step() -> None:
    schedule = FreezingSchedule.lp_ft(fraction=0.3, rate=0.1)
    head, full = schedule.phases
    assert schedule.at(2, 10) == ScheduleState(0, head, 0, 3)
    assert schedule.at(3, 10) == ScheduleState(1, full, 3, 10)


Build = Callable[[], object]


def phases(*items: Any) -> Build:
    return lambda: FreezingSchedule.from_phases(list(items))


def config(**mapping: Any) -> Build:
    return lambda: FreezingSchedule.from_config(mapping)


# what is wrong -> (how, parts of the error's text)
ERRORS: dict[str, tuple[Build, tuple[str, ...]]] = {
    "no phases": (phases(), ("without phases",)),
    "not a list": (
        lambda: FreezingSchedule.from_phases({"train": "*"}),  # type: ignore[arg-type]
        ("a list of phases",),
    ),
    "phase is text": (phases("head"), ("phase 0 is 'head'", "mapping")),
    "empty train": (phases({"train": []}), ("phase 0 has train = []", "trains nothing")),
    "train is missing": (phases({"rate": 1.0}), ("phase 0 has train = ()",)),
    "train is a number": (phases({"train": 3}), ("phase 0 has train = 3",)),
    "name is a number": (phases({"train": "*", "name": 3}), ("phase 0 has name = 3",)),
    "zero rate": (phases({"train": "*", "rate": 0}), ('phase 0 ("*") has rate = 0', "above 0")),
    "negative rate": (phases({"train": "*", "rate": -1.0, "name": "full"}), ('0 ("full")',)),
    "infinite rate": (phases({"train": "*", "rate": float("inf")}), ("rate of phase 0", "finite")),
    "rate as text": (phases({"train": "*", "rate": "1e-3"}), ("is '1e-3'", "write 1.0e-3")),
    "rate is true": (phases({"train": "*", "rate": True}), ("is True", "finite number")),
    "two ends": (
        phases({"train": "head", "until_fraction": 0.5, "until_step": 3}, {"train": "*"}),
        ('phase 0 ("head") has until_fraction = 0.5 and until_step = 3', "one of the two"),
    ),
    "no end": (phases({"train": "head"}, {"train": "*"}), ('phase 0 ("head") has no end',)),
    "last has an end": (phases({"train": "*", **LR}), ("the last phase", "remove until_fraction")),
    "fraction above 1": (
        phases({"train": "head", "until_fraction": 1.5}, {"train": "*"}),
        ("until_fraction = 1.5", "(0, 1]", "use until_step"),
    ),
    "fraction of 0": (phases({"train": "a", "until_fraction": 0}, {"train": "*"}), ("(0, 1]",)),
    "fraction of 1": (
        phases({"train": "head", "until_fraction": 1.0}, {"train": "*"}),
        ('phase 1 ("*") begins where training ends',),
    ),
    "step of 0": (
        phases({"train": "a", "until_step": 0}, {"train": "*"}),
        ('until_step of phase 0 ("a") is 0', "from 1 up"),
    ),
    "step is not whole": (
        phases({"train": "a", "until_step": 2.5}, {"train": "*"}),
        ("whole number",),
    ),
    "end not after start": (
        phases({"train": "a", **LR}, {"train": "b", **LR}, {"train": "*"}),
        ('phase 1 ("b") has until_fraction = 0.5, which is not after 0.5',),
    ),
    "unknown key": (
        phases({"train": "*", "until_fractoin": 0.5}),
        ("unknown key of phase 0 'until_fractoin'", "did you mean 'until_fraction'?"),
    ),
    "unknown name": (config(name="lpft"), ("unknown schedule 'lpft'", "did you mean 'lp_ft'?")),
    "unknown argument": (
        config(name="lp_ft", fracton=0.3),
        ("unknown argument of lp_ft 'fracton'", "did you mean 'fraction'?"),
    ),
    "missing argument": (config(name="top_layers"), ("top_layers without n", "add n")),
    "no name": (config(nam="full"), ("without name or phases", "name, phases")),
    "key beside phases": (config(phases=[{"train": "*"}], name="full"), ("'name'",)),
    "not a mapping": (
        lambda: FreezingSchedule.from_config("full"),  # type: ignore[arg-type]
        ("schedule is 'full'", "{name: full}"),
    ),
    "layers as text": (config(name="top_layers", n="2"), ("n is '2'", "whole number")),
    "negative layers": (lambda: FreezingSchedule.top_layers(-1), ("n is -1", "from 0 up")),
    "no layers": (lambda: FreezingSchedule.gradual_unfreezing(0), ("layers is 0",)),
    "no layers a phase": (
        lambda: FreezingSchedule.gradual_unfreezing(2, per_phase=0),
        ("per_phase is 0",),
    ),
    "shares too large": (
        lambda: FreezingSchedule.gradual_unfreezing(2, head_fraction=0.6, final_fraction=0.4),
        ("0.6 for head, 0.4 for full", "the 2 other phases"),
    ),
    "share as text": (
        config(name="gradual_unfreezing", layers=2, head_fraction="x"),
        ('share of phase 0 ("head")',),
    ),
    "no layers in a chain": (lambda: FreezingSchedule.chain_thaw(0), ("layers is 0",)),
    "surgical without layers": (lambda: FreezingSchedule.surgical(), ("train = ()",)),
    "surgical with a number": (config(name="surgical", selectors=3), ("phase 0 has train",)),
    "fewer steps than phases": (
        lambda: FreezingSchedule.chain_thaw(2).boundaries(3),
        ("would get no step", "each of the 4 phases", "of 3"),
    ),
    "three ends": (
        phases({"train": "a", "until_step": 3, "until_epoch": 1, **LR}, {"train": "*"}),
        ("until_fraction = 0.5 and until_step = 3 and until_epoch = 1", "one of them"),
    ),
    "epoch of 0": (phases({"train": "a", "until_epoch": 0}, {"train": "*"}), ("until_epoch of",)),
    "epochs of unknown length": (
        lambda: FreezingSchedule.from_phases(
            [{"train": "a", "until_epoch": 1}, {"train": "*"}]
        ).boundaries(9),
        ('phase 0 ("a") ends at an epoch', "give steps_per_epoch"),
    ),
    "patience of 0": (
        phases({"train": "a", "until_plateau": 0}, {"train": "*"}),
        ('until_plateau of phase 0 ("a") is 0',),
    ),
    "plateau in the last phase": (
        phases({"train": "*", "until_plateau": 1}),
        ("the last phase", "remove until_plateau"),
    ),
    "fixed end after an open one": (
        phases({"train": "a", "until_plateau": 1}, {"train": "b", **LR}, {"train": "*"}),
        ('phase 1 ("b") has until_fraction = 0.5, and phase 0 ("a") may last longer',),
    ),
    "plateau for the only phase": (
        lambda: FreezingSchedule.full().with_plateau(2),
        ('the only phase (phase 0 ("full"))', "EarlyStoppingCallback"),
    ),
    "restore_best without patience": (
        config(name="lp_ft", restore_best=False),
        ("key without patience: 'restore_best'",),
    ),
    "restore_best as text": (
        phases({"train": "*", "restore_best": "no"}),
        ("restore_best = 'no'", "true or false"),
    ),
    "decay above 1": (
        config(name="full", decay=1.5),
        ('decay of phase 0 ("full") is 1.5', "(0, 1]"),
    ),
    "no decay at all": (config(name="full", decay=0), ("decay of phase 0", "is 0")),
    "rates as a list": (
        phases({"train": "*", "rates": ["head"]}),
        ("rates = ['head']", "{embeddings: 0.1}"),
    ),
    "rate of a group is 0": (
        config(name="full", rates={"head": 0}),
        ("rates[head] = 0", "leave it out of train"),
    ),
    "unknown curve": (
        config(name="full", curve="cosin"),
        ("curve = 'cosin'", "did you mean 'cosine'?"),
    ),
    "warm-up without curve": (config(name="full", warmup=0.1), ("warmup = 0.1 and no curve",)),
    "warm-up of all": (config(name="full", curve="linear", warmup=1), ("warmup of", "[0, 1)")),
    "unknown choice": (
        phases({"train": "*", "choose": {"by": "randm"}}),
        ("chooses by 'randm'", "did you mean 'random'?"),
    ),
    "unknown key of a choice": (
        phases({"train": "*", "choose": {"by": "random", "layer": 2}}),
        ("unknown key of choose in phase 0 'layer'", "did you mean 'layers'?"),
    ),
    "choice as text": (phases({"train": "*", "choose": "random"}), ("chooses by 'random'",)),
    "choice lacks a value": (
        phases({"train": "*", "choose": {"by": "random", "layers": 2}}),
        ("every of", "is missing"),
    ),
    "choice takes no such value": (
        phases({"train": "*", "choose": {"by": "relative_gradient", "share": 0.5}}),
        ("share of", "takes every", "drop share"),
    ),
    "no layers to draw": (lambda: FreezingSchedule.lisa(0, every=2), ("layers of phase 0", "is 0")),
    "share above 1": (lambda: FreezingSchedule.spectrum(1.5), ("share of", "is 1.5")),
    "percentile above 100": (
        lambda: FreezingSchedule.auto_freeze(101, every=2),
        ("percentile of", "is 101"),
    ),
    "measured never": (lambda: FreezingSchedule.auto_rgn(0), ("every of", "is 0")),
    "epochs and steps": (
        lambda: FreezingSchedule.gradual_unfreezing(2, every_epochs=1, every_steps=2),
        ("every_epochs is 1, every_steps is 2", "one way to say"),
    ),
    "epochs and shares": (
        lambda: FreezingSchedule.gradual_unfreezing(2, every_epochs=1, head_fraction=0.5),
        ("1 shares of the run",),
    ),
    "step beyond the end": (
        lambda: FreezingSchedule.from_phases(
            [{"train": "head", "until_step": 9}, {"train": "*"}]
        ).boundaries(9),
        ('phase 1 ("*") would get no step', "step 9 and step 9 of 9"),
    ),
    "step before a fraction": (
        lambda: FreezingSchedule.from_phases(
            [{"train": "a", **LR}, {"train": "b", "until_step": 3}, {"train": "*"}]
        ).boundaries(3),
        ('phase 2 ("*") would get no step',),
    ),
    "no steps": (lambda: FreezingSchedule.full().boundaries(0), ("total_steps is 0",)),
    "step outside the run": (lambda: FreezingSchedule.full().at(11, 10), ("step is 11",)),
    "negative step": (lambda: FreezingSchedule.full().at(-1, 10), ("step is -1",)),
}


@pytest.mark.parametrize("wrong", ERRORS)
def test_errors_say_what_is_wrong(wrong: str) -> None:
    build, parts = ERRORS[wrong]
    with pytest.raises(ScheduleError) as caught:
        build()
    for part in parts:
        assert part in str(caught.value)


def test_table_of_errors_is_whole() -> None:
    assert len(ERRORS) == 70


YAML = {
    "name": ("name: lp_ft\nfraction: 0.3\nrate: 0.1\n", FreezingSchedule.lp_ft(0.3, 0.1)),
    "selectors": (
        'name: surgical\nselectors: [head, "layer.1*"]\n',
        FreezingSchedule.surgical("head", "layer.1*"),
    ),
    "phases": (
        "phases:\n  - {train: [head], until_fraction: 0.3}\n  - {train: '*', rate: 0.1}\n",
        FreezingSchedule((Phase(("head",), 0.3), Phase(("*",), rate=0.1))),
    ),
}


@pytest.mark.parametrize("case", YAML)
def test_yaml(case: str, tmp_path: Path) -> None:
    text, schedule = YAML[case]
    path = tmp_path / "schedule.yaml"
    path.write_text(text, encoding="utf-8")
    assert FreezingSchedule.from_yaml(path) == schedule


BAD_YAML = {
    "name: full\nname: lp_ft\n": "line 2: the key 'name' appears twice",
    "phases:\n- train: head\n  train: '*'\n": "line 3: the key 'train' appears twice",
    "- full\n": "holds ['full']",
    "name: [\n": "cannot parse",
}


@pytest.mark.parametrize("text", BAD_YAML)
def test_bad_yaml(text: str, tmp_path: Path) -> None:
    path = tmp_path / "schedule.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ScheduleError) as caught:
        FreezingSchedule.from_yaml(path)
    assert BAD_YAML[text] in str(caught.value) and "schedule.yaml" in str(caught.value)


def test_missing_yaml(tmp_path: Path) -> None:
    with pytest.raises(ScheduleError, match="cannot read"):
        FreezingSchedule.from_yaml(tmp_path / "none.yaml")


def test_import_needs_no_torch() -> None:
    code = (
        "import sys, hf_transfer_plugin.adapt.schedules\n"
        "assert not {'torch', 'transformers', 'yaml'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
