"""Each schedule with the cache: the weights of a run without it, and what was kept when."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from transformers import Trainer, TrainerCallback

from hf_transfer_plugin import FreezingCallback, FreezingSchedule, prefix_cache
from hf_transfer_plugin.callbacks.prefix_following import PrefixUse
from hf_transfer_plugin.layers import layer_groups
from hf_transfer_plugin.prefix.unit_calls import LayerUnits
from tests.callbacks.prefix_cases import FrozenCalls, Images, stir
from tests.callbacks.schedule_cases import SCHEDULES, ScheduleCase
from tests.callbacks.tiny import bert, efficientnet, resnet, tensors, trainer

ROWS, STEPS = 16, 8
KINDS = {"bert": bert, "resnet": resnet, "efficientnet": efficientnet}
# One convolutional network for each schedule is enough.
CASES = [
    (kind, name)
    for number, (name, case) in enumerate(SCHEDULES.items())
    for kind in ("bert", ("resnet", "efficientnet")[number % 2])
    if kind in case.models
]


class Trained(TrainerCallback):
    """Keeps which layer groups train in each step."""

    def __init__(self, model: nn.Module) -> None:
        self.groups = layer_groups(model)
        self.parameters = dict(model.named_parameters())
        self.steps: list[frozenset[str]] = []

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        trained = (
            group.name
            for group in self.groups
            if any(self.parameters[name].requires_grad for name in group.parameter_names)
        )
        self.steps.append(frozenset(trained))


@dataclass
class Done:
    weights: dict[str, torch.Tensor]
    losses: list[float]
    trained: list[frozenset[str]]
    calls: FrozenCalls
    uses: list[PrefixUse]
    group_of: dict[str, str]
    order: tuple[str, ...]

    def group(self, module: str) -> str:
        """Return the layer group of a module that is or lies in a unit."""
        return next(g for path, g in self.group_of.items() if f"{module}.".startswith(f"{path}."))


def made(kind: str, folder: Path, case: ScheduleCase, last: bool = False, **more: Any) -> Trainer:
    model: Any = KINDS[kind]()
    stir(model)
    if last:
        model = model.to(memory_format=torch.channels_last)
    arguments = {
        **{"max_steps": STEPS, "per_device_train_batch_size": ROWS, "learning_rate": 1e-3},
        # Rounding of gradients that should be zero must not become steps of Adam.
        **{"adam_epsilon": 1e-4, **case.arguments, **more},
    }
    run = trainer(model, folder, FreezingCallback(case.schedule(model)), **arguments)
    if kind != "bert":
        run.train_dataset = run.eval_dataset = _Sixteen()
    else:
        run.train_dataset = run.eval_dataset = _Items(run.train_dataset)
    return run


class _Items(torch.utils.data.Dataset[Any]):
    def __init__(self, rows: Any) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Any:
        return self.rows[index]


class _Sixteen(torch.utils.data.Dataset[Any]):
    """The images of two classes, some of them twice as bright."""

    def __init__(self) -> None:
        self.images = Images(0, 2)

    def __len__(self) -> int:
        return ROWS

    def __getitem__(self, index: int) -> Any:
        row = self.images[index % len(self.images)]
        return {**row, "pixel_values": row["pixel_values"] * (1 + index // len(self.images))}


def done(run: Trainer, cache: Path | None) -> Done:
    handle = prefix_cache(run, folder=cache) if cache is not None else None
    calls, trained = FrozenCalls(run.model), Trained(run.model)  # type: ignore[arg-type]
    run.add_callback(calls)
    run.add_callback(trained)
    run.train()
    units = LayerUnits(run.model)  # type: ignore[arg-type]
    return Done(
        tensors(run.model),  # type: ignore[arg-type]
        [line["loss"] for line in run.state.log_history if "loss" in line],
        trained.steps,
        calls,
        list(handle.uses) if handle is not None else [],
        units.group_of,
        units.groups.names,
    )


def distance(one: Done, two: Done) -> float:
    weights = max(
        float((v.double() - two.weights[n].double()).abs().max()) for n, v in one.weights.items()
    )
    return max(weights, max(abs(a - b) for a, b in zip(one.losses, two.losses, strict=True)))


def stretches(trained: list[frozenset[str]]) -> list[tuple[int, frozenset[str]]]:
    """Return the steps from which other layer groups train."""
    return [(n, t) for n, t in enumerate(trained) if n == 0 or t != trained[n - 1]]


def assert_follows(found: Done, kind: str) -> int:
    """Assert that each stretch of steps begins where it should; return how many were cached."""
    used, on = 0, True
    uses = {use.step: use for use in found.uses if "evaluation" not in use.reason}
    for number, (step, trained) in enumerate(found_stretches := stretches(found.trained)):
        end = found_stretches[number + 1][0] if number + 1 < len(found_stretches) else STEPS
        first = next(name for name in found.order if name in trained)
        assert step in uses, f"nothing is said of step {step}"
        use = uses[step]
        if not use.before:
            refused = first == found.order[0] or end - step < 2 or "cost more" in use.reason
            assert refused, use.reason
            on = False
            continue
        used += 1
        assert found.group_of[use.before] == first, f"at step {step}"
        assert not use.reason and use.bytes > 0
        below = found.order[: found.order.index(first)]
        # The first batch after a stretch without the cache was made before this one began.
        for between in range(step if on or not step else step + 1, end):
            ran = {m for m in found.calls.steps[between] if found.group(m) in below}
            assert not ran, f"frozen layers ran in step {between}"
        on = True
    return used


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_a_schedule(kind: str, name: str, tmp_path: Path) -> None:
    case = SCHEDULES[name]
    plain = done(made(kind, tmp_path, case), None)
    cached = done(made(kind, tmp_path, case), tmp_path / "cache")
    assert plain.trained == cached.trained
    far = distance(plain, cached)
    if far > 1e-5:
        other = done(made(kind, tmp_path, case, last=True), None)
        assert kind != "bert" and far <= 4 * distance(plain, other)
    used = assert_follows(cached, kind)
    # Which layers come to rest, and when, is a matter of rounding; the rest is as planned.
    assert used >= 1 if name == "auto_freeze" else used == USED.get(name, 1)


#: Stretches of steps that must come from the cache; 1 when nothing else is said.
USED: dict[str, int] = {
    # The layers nearest to the input train all the time.
    **dict.fromkeys(("full", "discriminative", "auto_rgn", "lisa", "spectrum"), 0),
    "gradual_unfreezing": 3,
    "gradual by epoch": 2,
    "chain_thaw": 3,
    "refreezing": 2,
    "cosine with warm-up": 2,
    "chain_thaw on plateaus": 2,
}


def test_table_is_whole() -> None:
    assert len(CASES) == 2 * 19


def uses_of(found: Done) -> list[tuple[int, str, int]]:
    return [(use.step, use.before, use.rows) for use in found.uses]


def phases(*given: dict[str, Any]) -> ScheduleCase:
    return ScheduleCase(lambda blocks: FreezingSchedule.from_phases(list(given)))


def test_gradual_unfreezing_fills_all_boundaries_in_one_pass(tmp_path: Path) -> None:
    case = phases(
        {"train": "top:0", "until_step": 3}, {"train": "top:1", "until_step": 6}, {"train": "top:2"}
    )
    found = done(made("bert", tmp_path, case), tmp_path / "cache")
    assert uses_of(found) == [
        (0, "bert.pooler", ROWS),
        (3, "bert.encoder.layer.1", 0),
        (6, "bert.encoder.layer.0", 0),
    ]
    # Before step 3 and 6 the cuts are looked for on a few rows, and that is all.
    assert not any(found.calls.steps)


RISES = {
    # The lower layer has trained: what was kept above it is stale.
    "chain": phases(
        {"train": ["layer.0", "head"], "until_step": 4}, {"train": ["layer.1", "head"]}
    ),
    "all, then the head": phases({"train": "*", "until_step": 4}, {"train": "top:0"}),
    "down and up": phases(
        {"train": "top:0", "until_step": 3},
        {"train": "top:2", "until_step": 5},
        {"train": "top:0"},
    ),
}


@pytest.mark.parametrize("name", RISES)
def test_nothing_stale_after_lower_layers_trained(name: str, tmp_path: Path) -> None:
    plain = done(made("bert", tmp_path, RISES[name], learning_rate=1e-2), None)
    cached = done(made("bert", tmp_path, RISES[name], learning_rate=1e-2), tmp_path / "cache")
    assert distance(plain, cached) <= 1e-5
    assert_follows(cached, "bert")
    last = cached.uses[-1]
    assert last.rows == ROWS and last.before
    # With what was kept before, the last phase would compute something else.
    again = done(made("bert", tmp_path, RISES[name], learning_rate=1e-2), tmp_path / "cache")
    assert distance(plain, again) <= 1e-5
    assert [use.rows for use in again.uses] == [0] * len(again.uses)


def test_a_higher_boundary_goes_on_from_a_lower_one(tmp_path: Path) -> None:
    case = phases({"train": "top:1", "until_step": 4}, {"train": "top:0"})
    plain = done(made("bert", tmp_path, case, learning_rate=1e-2), None)
    cached = done(made("bert", tmp_path, case, learning_rate=1e-2), tmp_path / "cache")
    assert distance(plain, cached) <= 1e-5
    assert uses_of(cached) == [
        (0, "bert.encoder.layer.1", ROWS),
        (4, "bert.pooler", ROWS),
    ]


class Rows(TrainerCallback):
    """Counts how many rows a module reads."""

    def __init__(self, module: nn.Module) -> None:
        self.read = 0
        own = module.forward
        module.forward = partial(self._count, own)

    def _count(self, own: Any, first: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        self.read += len(first)
        return own(first, *args, **kwargs)


@pytest.mark.parametrize("lower", [True, False])
def test_rows_that_low_layers_read(lower: bool, tmp_path: Path) -> None:
    """Filling the higher boundary costs the layers above the lower one alone."""
    first = "top:1" if lower else "*"
    case = phases({"train": first, "until_step": 4}, {"train": "top:0"})
    run = made("bert", tmp_path, case)
    model: Any = run.model
    layers = [Rows(model.bert.encoder.layer[number].attention.self.query) for number in (0, 1)]
    handle = prefix_cache(run, folder=tmp_path / "cache")
    before: list[list[int]] = []

    class Marks(TrainerCallback):
        def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            before.append([each.read for each in layers])

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            before.append([each.read for each in layers])

    run.add_callback(Marks())
    run.train()
    assert [use.rows for use in handle.uses] == ([ROWS, ROWS] if lower else [0, ROWS])
    # Between the end of step 4 and the begin of step 5: the search on few rows, and the fill.
    low, high = (before[8][n] - before[7][n] for n in (0, 1))
    assert high - low == (ROWS if lower else 0)
    assert low < ROWS + 40 and (low > 0)
