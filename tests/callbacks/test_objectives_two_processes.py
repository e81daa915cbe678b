"""Two processes train with an objective, or several tasks, as one does on twice the batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from hf_transfer_plugin.objective_kinds import OBJECTIVES
from tests.adapt.multitask.cases import save
from tests.callbacks.launching import launch
from tests.callbacks.multitask_two_processes import TASK_CASES, train_tasks
from tests.callbacks.objective_cases import MEANS, save_sources
from tests.callbacks.objective_two_process_script import CASES, PROCESSES, train

SCRIPT = Path(__file__).with_name("objective_two_process_script.py")
Weights = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("two")


@pytest.fixture(scope="module")
def both(folder: Path) -> list[dict[str, Any]]:
    """Return the final weights of every case, of each process."""
    save_sources(folder / "sources")
    save("calm_bert", folder)
    files = [folder / f"objectives-{rank}.pt" for rank in range(PROCESSES)]
    return launch(files, SCRIPT, str(folder))[0]


def _assert_same(case: Any, one: Weights, two: Weights, whole: Weights | None) -> None:
    for name, tensor in one.items():
        assert torch.equal(tensor, two[name]), f"{case}: {name} differs between the processes"
        if whole is not None and not name.startswith("discriminator"):
            torch.testing.assert_close(tensor, whole[name], rtol=1e-4, atol=1e-5)


def test_two_processes_are_one_of_twice_the_batch(folder: Path, both: list[dict[str, Any]]) -> None:
    assert len(CASES) == 17 and {name for *_, name in CASES} == set(OBJECTIVES)
    alone = train(folder, 1)
    first, second = (each["objectives"] for each in both)
    for case, one, two, whole in zip(CASES, first, second, alone, strict=True):
        learns = any(name.startswith("discriminator moments") for name in one)
        assert learns == OBJECTIVES[case[2]].learns
        _assert_same(case, one, two, whole if case[2] in MEANS else None)


def test_so_they_are_with_several_tasks(folder: Path, both: list[dict[str, Any]]) -> None:
    """Gradients projected or not: those of each task are averaged before they are projected."""
    assert len(TASK_CASES) == 3
    first, second = (each["tasks"] for each in both)
    for case, one, two, whole in zip(
        TASK_CASES, first, second, train_tasks(folder, 1), strict=True
    ):
        _assert_same(case, one, two, whole)
