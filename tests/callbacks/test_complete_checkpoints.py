"""Whole checkpoints are told from those of a run that was killed."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from transformers.trainer_utils import get_last_checkpoint

from hf_transfer_plugin.callbacks import complete_checkpoints
from hf_transfer_plugin.callbacks.complete_checkpoints import (
    incomplete_reason,
    last_complete_checkpoint,
    set_aside_incomplete,
)
from hf_transfer_plugin.errors import CheckpointError
from tests.callbacks.tiny import MODELS, STEPS, bert, trainer

TRAINING = ("optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json")
# The files of each kind of checkpoint that a resumed run cannot do without.
NEEDED = {
    "bert": ("model.safetensors", *TRAINING),
    "lora": ("adapter_config.json", "adapter_model.safetensors", *TRAINING),
}
# Those that may be missing, but not cut short.
OTHERS = {"bert": ("config.json", "training_args.bin"), "lora": ("training_args.bin",)}


def halve(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def zero(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


DAMAGES: dict[str, Callable[[Path], None]] = {
    "halve": halve,
    "empty": empty,
    "zero": zero,
    "remove": Path.unlink,
}
DAMAGED = [
    (kind, file, damage)
    for kind, needed in NEEDED.items()
    for file in (*needed, *OTHERS[kind])
    for damage in DAMAGES
    if file in needed or damage != "remove"
]


@pytest.fixture(autouse=True)
def short_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(complete_checkpoints, "STILL_SECONDS", 0.01)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return a checkpoint that Trainer wrote of each kind of model."""
    found = {}
    for kind in NEEDED:
        folder = tmp_path_factory.mktemp(kind)
        trainer(MODELS[kind](), folder, save_strategy="steps", save_steps=1, max_steps=1).train()
        found[kind] = folder / "checkpoint-1"
    return found


@pytest.fixture
def run_folder(saved: dict[str, Path], tmp_path: Path) -> Callable[..., Path]:
    """Return a maker of a run folder: step -> the file that its checkpoint lacks, or none."""

    def make(**lacking: str) -> Path:
        for step, file in lacking.items():
            target = tmp_path / f"checkpoint-{step.removeprefix('step_')}"
            shutil.copytree(saved["bert"], target)
            if file:
                (target / file).unlink()
        return tmp_path

    return make


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("kind", NEEDED)
def test_whole(saved: dict[str, Path], kind: str) -> None:
    assert names(saved[kind]) - {"README.md"} == {*NEEDED[kind], *OTHERS[kind]}
    assert incomplete_reason(saved[kind]) == ""


@pytest.mark.parametrize(("kind", "file", "damage"), DAMAGED)
def test_damaged_file_is_named(
    saved: dict[str, Path], tmp_path: Path, kind: str, file: str, damage: str
) -> None:
    folder = Path(shutil.copytree(saved[kind], tmp_path / "checkpoint-1"))
    DAMAGES[damage](folder / file)
    reason = incomplete_reason(folder)
    assert reason.startswith(f"{file} is "), reason
    assert ("missing" in reason) == (damage == "remove")


def test_table_of_damaged_files() -> None:
    assert len(DAMAGED) == 53


@pytest.mark.parametrize("kind", NEEDED)
def test_what_a_resumed_run_does_not_read_may_be_missing(
    saved: dict[str, Path], tmp_path: Path, kind: str
) -> None:
    folder = Path(shutil.copytree(saved[kind], tmp_path / "checkpoint-1"))
    for file in OTHERS[kind]:
        (folder / file).unlink()
    assert incomplete_reason(folder) == ""


def test_lengths_are_said(saved: dict[str, Path], tmp_path: Path) -> None:
    file = Path(shutil.copytree(saved["bert"], tmp_path / "checkpoint-1")) / "model.safetensors"
    size = file.stat().st_size
    for wrong, fault in {size - 1: "cut short", size + 1: "too long"}.items():
        os.truncate(file, wrong)
        said = f"{file.name} is {fault}: {wrong:,} of {size:,} bytes"
        assert incomplete_reason(file.parent) == said


def test_one_cut_at_any_byte_is_found(saved: dict[str, Path], tmp_path: Path) -> None:
    folder, found = Path(shutil.copytree(saved["bert"], tmp_path / "checkpoint-1")), 0
    for file in NEEDED["bert"]:
        content = (folder / file).read_bytes()
        # The last byte of the trainer state is an end of line.
        for size in [*range(0, len(content) - 1, 499), len(content) - 2]:
            (folder / file).write_bytes(content[:size])
            assert incomplete_reason(folder).startswith(f"{file} is "), (file, size)
            found += 1
        (folder / file).write_bytes(content)
    assert incomplete_reason(folder) == "" and found > 200


def test_several_processes(saved: dict[str, Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(saved["bert"], tmp_path / "checkpoint-1"))
    (folder / "rng_state.pth").rename(folder / "rng_state_0.pth")
    assert incomplete_reason(folder, world_size=2).startswith("rng_state_1.pth is missing")
    shutil.copy(folder / "rng_state_0.pth", folder / "rng_state_1.pth")
    assert incomplete_reason(folder, world_size=2) == ""
    assert incomplete_reason(folder) == ""  # one process goes on where two began
    assert incomplete_reason(folder, world_size=4).startswith("rng_state_2.pth is missing")
    halve(folder / "rng_state_1.pth")
    assert incomplete_reason(folder, world_size=2).startswith("rng_state_1.pth is cut short")
    (folder / "rng_state_0.pth").unlink()
    (folder / "rng_state_1.pth").unlink()
    assert incomplete_reason(folder, world_size=2).startswith("rng_state_0.pth is missing")
    shutil.copy(saved["bert"] / "rng_state.pth", folder)
    assert incomplete_reason(folder, world_size=2) == ""  # two go on where one began


def test_more_processes_go_on(run_folder: Callable[..., Path]) -> None:
    folder = run_folder(step_1="", step_2="")
    for path in folder.iterdir():
        shutil.copy(path / "rng_state.pth", path / "rng_state_0.pth")
        (path / "rng_state.pth").rename(path / "rng_state_1.pth")
    assert set_aside_incomplete(folder, world_size=4) == []
    assert last_complete_checkpoint(folder, world_size=4) == str(folder / "checkpoint-2")
    (folder / "checkpoint-2" / "rng_state_1.pth").unlink()
    assert last_complete_checkpoint(folder, world_size=4) == str(folder / "checkpoint-1")


def test_shards(saved: dict[str, Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(saved["bert"], tmp_path / "checkpoint-1"))
    (folder / "model.safetensors").unlink()
    bert().save_pretrained(folder, max_shard_size="8KB")
    shards = sorted(folder.glob("model-*.safetensors"))
    assert len(shards) > 1 and incomplete_reason(folder) == ""
    content = shards[1].read_bytes()
    halve(shards[1])
    assert incomplete_reason(folder).startswith(f"{shards[1].name} is cut short")
    shards[1].unlink()
    assert (
        incomplete_reason(folder) == f"{shards[1].name} of model.safetensors.index.json is missing"
    )
    shards[1].write_bytes(content)
    halve(folder / "model.safetensors.index.json")
    assert incomplete_reason(folder).startswith("model.safetensors.index.json is no whole JSON")


def test_adapter_in_a_folder_of_its_own(saved: dict[str, Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(saved["lora"], tmp_path / "checkpoint-1"))
    (folder / "second").mkdir()
    for path in folder.glob("adapter_*"):
        path.rename(folder / "second" / path.name)
    assert incomplete_reason(folder) == ""
    halve(folder / "second" / "adapter_model.safetensors")
    assert incomplete_reason(folder).startswith("adapter_model.safetensors is cut short")


@pytest.mark.parametrize("layout", ["global_step8", "optimizer_0", "pytorch_model_fsdp_0"])
def test_sharded_layouts_are_not_judged(
    saved: dict[str, Path], tmp_path: Path, layout: str
) -> None:
    folder = tmp_path / "checkpoint-8"
    (folder / layout).mkdir(parents=True)
    assert incomplete_reason(folder) == "trainer_state.json is missing"
    shutil.copy(saved["bert"] / "trainer_state.json", folder)
    assert incomplete_reason(folder) == ""


def test_files_of_others(saved: dict[str, Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(saved["bert"], tmp_path / "checkpoint-1"))
    (folder / "vocabulary.bin").write_bytes(b"words")
    torch.save({"a": 1}, folder / "optimizer.pt", _use_new_zipfile_serialization=False)
    assert incomplete_reason(folder) == ""
    torch.save({"a": 1}, folder / "average.pt")
    halve(folder / "average.pt")
    assert incomplete_reason(folder).startswith("average.pt is cut short")


def test_last_complete_checkpoint(run_folder: Callable[..., Path], tmp_path: Path) -> None:
    assert last_complete_checkpoint(tmp_path / "none") is None
    assert last_complete_checkpoint(tmp_path) is None
    (tmp_path / "checkpoint-90").write_text("a file")
    folder = run_folder(step_9="", step_10="", step_11="optimizer.pt", best="")
    assert last_complete_checkpoint(folder) == str(folder / "checkpoint-10")
    halve(folder / "checkpoint-10" / "model.safetensors")
    assert last_complete_checkpoint(str(folder)) == str(folder / "checkpoint-9")
    empty(folder / "checkpoint-9" / "trainer_state.json")
    assert last_complete_checkpoint(folder) is None
    with pytest.raises(CheckpointError, match="cannot read"):
        last_complete_checkpoint(tmp_path / "checkpoint-90")


def test_set_aside(run_folder: Callable[..., Path], caplog: pytest.LogCaptureFixture) -> None:
    lacking = {"step_2": "optimizer.pt", "step_4": "", "step_6": "scheduler.pt"}
    folder = run_folder(**lacking, step_10="trainer_state.json")
    (folder / "incomplete-checkpoint-10").mkdir()
    before = {name: names(folder / name) for name in names(folder)}
    with caplog.at_level(logging.WARNING):
        moved = set_aside_incomplete(folder, world_size=1)
    now = [folder / "incomplete-checkpoint-6", folder / "incomplete-checkpoint-10-2"]
    assert moved == [str(path) for path in now]
    before["incomplete-checkpoint-6"] = before.pop("checkpoint-6")
    before["incomplete-checkpoint-10-2"] = before.pop("checkpoint-10")
    assert {name: names(folder / name) for name in names(folder)} == before
    assert get_last_checkpoint(str(folder)) == str(folder / "checkpoint-4")
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2 and all("checkpoint-4 is the last whole one" in text for text in said)
    assert "checkpoint-6 is incomplete (scheduler.pt is missing" in said[0]
    assert "checkpoint-10 is incomplete (trainer_state.json is missing)" in said[1]
    assert "it is now incomplete-checkpoint-10-2" in said[1]
    assert set_aside_incomplete(folder, world_size=1) == []


def test_set_aside_with_no_whole_one(
    run_folder: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    folder = run_folder(step_1="trainer_state.json", step_2="optimizer.pt")
    with caplog.at_level(logging.WARNING):
        assert len(set_aside_incomplete(folder, world_size=1)) == 2
    assert get_last_checkpoint(str(folder)) is None
    assert caplog.text.count("no whole one is left to resume from") == 2
    assert set_aside_incomplete(folder / "none", world_size=1) == []


def test_the_script_that_was_killed_goes_on(tmp_path: Path) -> None:
    arguments = {"save_strategy": "steps", "save_steps": 2}
    trainer(bert(), tmp_path, **arguments).train()
    halve(tmp_path / f"checkpoint-{STEPS}" / "model.safetensors")
    with pytest.raises(Exception, match="[Ii]ncomplete"):
        trainer(bert(), tmp_path, **arguments).train(resume_from_checkpoint=True)
    assert len(set_aside_incomplete(tmp_path, world_size=1)) == 1
    trainer(bert(), tmp_path, **arguments).train(resume_from_checkpoint=True)
    assert last_complete_checkpoint(tmp_path) == str(tmp_path / f"checkpoint-{STEPS}")


def test_model_only_stays(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    arguments = {"save_strategy": "steps", "save_steps": 4, "save_only_model": True}
    trainer(bert(), tmp_path, **arguments).train()
    assert incomplete_reason(tmp_path / "checkpoint-4").startswith("optimizer.pt is missing")
    before = names(tmp_path)
    with caplog.at_level(logging.WARNING):
        assert set_aside_incomplete(tmp_path, world_size=1) == []
    assert names(tmp_path) == before >= {"checkpoint-4", "checkpoint-8"}
    (record,) = caplog.records
    assert "silently begin with a fresh optimizer" in record.getMessage()
    assert last_complete_checkpoint(tmp_path) is None


@contextmanager
def as_nobody() -> Iterator[None]:
    """Give up the rights of the superuser, if this is one."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def public_folder(saved: dict[str, Path]) -> Iterator[Path]:
    """Return a folder that everybody can reach: checkpoint-1 is whole, checkpoint-2 is not."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        for step in (1, 2):
            shutil.copytree(saved["bert"], folder / f"checkpoint-{step}")
        for path in folder.glob("*/*"):
            path.chmod(0o644)
        (folder / "checkpoint-2" / "optimizer.pt").unlink()
        yield folder
        folder.chmod(0o755)


def test_folder_that_cannot_be_written(
    public_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    public_folder.chmod(0o555)
    with caplog.at_level(logging.WARNING), as_nobody():
        assert set_aside_incomplete(public_folder, world_size=1) == []
    assert names(public_folder) == {"checkpoint-1", "checkpoint-2"}
    (record,) = caplog.records
    said = record.getMessage()
    assert "checkpoint-2 is incomplete (optimizer.pt is missing" in said
    assert "cannot be renamed (Permission denied)" in said
    assert "give resume_from_checkpoint the folder of a whole one" in said


def test_checkpoint_that_cannot_be_read_stays(
    public_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    public_folder.chmod(0o777)
    (public_folder / "checkpoint-2" / "model.safetensors").chmod(0o000)
    with caplog.at_level(logging.WARNING), as_nobody():
        assert set_aside_incomplete(public_folder, world_size=1) == []
        reason = incomplete_reason(public_folder / "checkpoint-2")
        with pytest.raises(CheckpointError, match="Permission denied"):
            last_complete_checkpoint(public_folder)
    assert reason == "model.safetensors cannot be read: Permission denied"
    (record,) = caplog.records
    assert "mend its permissions" in record.getMessage()
    assert names(public_folder) == {"checkpoint-1", "checkpoint-2"}


def test_folder_that_cannot_be_listed(
    public_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    public_folder.chmod(0o000)
    with caplog.at_level(logging.WARNING), as_nobody():
        assert set_aside_incomplete(public_folder, world_size=1) == []
    assert f"cannot read {public_folder} (Permission denied)" in caplog.text


def test_checkpoint_that_is_being_written_stays(
    run_folder: Callable[..., Path],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder, done = run_folder(step_1="", step_2="trainer_state.json"), threading.Event()
    monkeypatch.setattr(complete_checkpoints, "STILL_SECONDS", 0.1)

    def write() -> None:
        with (folder / "checkpoint-2" / "more.pt").open("wb", buffering=0) as file:
            while not done.wait(0.005):
                file.write(b"PK\x03\x04")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with caplog.at_level(logging.WARNING):
            assert set_aside_incomplete(folder, world_size=1) == []
    finally:
        done.set()
        writer.join()
    assert "checkpoint-2 is being written by another run: end that run" in caplog.text
    assert names(folder) == {"checkpoint-1", "checkpoint-2"}
    assert set_aside_incomplete(folder, world_size=1) == [str(folder / "incomplete-checkpoint-2")]


def test_old_checkpoints_are_not_waited_for(
    run_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = run_folder(step_1="", step_2="trainer_state.json")
    long_ago = time.time() - 3600
    for path in [*(folder / "checkpoint-2").iterdir(), folder / "checkpoint-2"]:
        os.utime(path, (long_ago, long_ago))
    monkeypatch.setattr(complete_checkpoints, "STILL_SECONDS", 60.0)
    began = time.monotonic()
    assert len(set_aside_incomplete(folder, world_size=1)) == 1
    assert time.monotonic() - began < 30
