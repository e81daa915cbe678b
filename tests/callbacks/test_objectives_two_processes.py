"""Two processes train with an objective as one does on twice the batch."""

from __future__ import annotations

from pathlib import Path

import torch

from hf_transfer_plugin.objective_kinds import OBJECTIVES
from tests.callbacks.launching import launch
from tests.callbacks.objective_cases import MEANS, quick_collections, save_sources
from tests.callbacks.objective_two_process_script import CASES, PROCESSES, train

SCRIPT = Path(__file__).with_name("objective_two_process_script.py")


def test_two_processes_are_one_of_twice_the_batch(tmp_path: Path) -> None:
    assert len(CASES) == 17 and {name for *_, name in CASES} == set(OBJECTIVES)
    save_sources(tmp_path / "sources")
    files = [tmp_path / f"objectives-{rank}.pt" for rank in range(PROCESSES)]
    (first, second), _ = launch(files, SCRIPT, str(tmp_path))
    with quick_collections():
        alone = train(tmp_path, 1)
    for case, one, two, whole in zip(CASES, first, second, alone, strict=True):
        learns = any(name.startswith("discriminator moments") for name in one)  # type: ignore[attr-defined]
        assert learns == OBJECTIVES[case[2]].learns
        for name, tensor in one.items():  # type: ignore[attr-defined]
            assert torch.equal(tensor, two[name]), f"{case}: {name} differs between the processes"
            if case[2] in MEANS and not name.startswith("discriminator"):
                torch.testing.assert_close(tensor, whole[name], rtol=1e-4, atol=1e-5)
