"""Which checkpoints of a Trainer are whole, after a run that was killed while it wrote one.

Trainer writes straight into `checkpoint-N`, and `resume_from_checkpoint=True` takes the highest N
without a look inside. A run that is killed while it writes leaves a folder that cannot be loaded,
or one that is loaded without its optimizer, which ends with other weights and says nothing.

Lengths, headers and tables of contents are read, never tensors: a file that was cut short is
found, one with wrong bytes in the middle is not.

Two runs that write into one folder overwrite each other whatever happens here. Still, a checkpoint
that is being written is left alone: one that changed in the last minute must first lie still for
some seconds. Its age alone says little, for a launcher restarts a killed run within a second.
"""

from __future__ import annotations

import json
import logging
import os
import re
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

from hf_transfer_plugin.errors import CheckpointError

__all__ = ["incomplete_reason", "last_complete_checkpoint", "set_aside_incomplete"]

logger = logging.getLogger(__name__)

# DeepSpeed, FSDP, XLA and SageMaker write shards of their own kinds, which are not judged.
SHARDED = ("global_step*/", "optimizer*/", "pytorch_model_fsdp*", "optimizer.pt_*", "rank*-of-*")
WEIGHTS = ("*.safetensors", "*/*.safetensors", "*_model*.bin", "*/adapter_model.bin")
PICKLED = ("optimizer", "scheduler", "scaler", "rng_state", "training_args", "pytorch_", "adapter_")
FRESH = "a resumed run would silently begin with a fresh optimizer"
BY_HAND = "give resume_from_checkpoint the folder of a whole one"
RECENT_SECONDS, STILL_SECONDS, LOOKS = 60.0, 2.0, 10


def incomplete_reason(folder: str | os.PathLike[str], *, world_size: int = 1) -> str:
    """Return what a checkpoint lacks, in one clause, or "" when it is whole.

    Examples:
        >>> incomplete_reason("run/checkpoint-8")
        'model.safetensors is cut short: 1,024 of 4,096 bytes'

    Args:
        folder: a `checkpoint-N` of a Trainer.
        world_size: processes of the run that wrote it, each of which saves its random state.
    """
    try:
        return _fault(Path(folder), set(range(world_size)))
    except OSError as error:
        return f"{Path(error.filename or folder).name} cannot be read: {error.strerror or error}"


def last_complete_checkpoint(
    output_dir: str | os.PathLike[str], *, world_size: int = 1
) -> str | None:
    """Return the whole checkpoint with the highest step, or None when there is none.

    Examples:
        >>> trainer.train(resume_from_checkpoint=last_complete_checkpoint(args.output_dir))

    Args:
        output_dir: the folder that Trainer writes `checkpoint-N` into.
        world_size: processes of the run.

    Raises:
        CheckpointError: when a folder cannot be read.
    """
    try:
        checkpoints = _newest_first(output_dir)
        ranks = _ranks_that_wrote(checkpoints, world_size)
        return next((str(path) for path in checkpoints if not _fault(path, ranks)), None)
    except OSError as error:
        raise CheckpointError(
            arrived=f"cannot read {error.filename or output_dir}: {error.strerror or error}",
            expected="the folder that Trainer writes checkpoint-N into",
            action="correct the path, or mend its permissions",
        ) from None


def set_aside_incomplete(output_dir: str | os.PathLike[str], *, world_size: int = 1) -> list[str]:
    """Rename each incomplete checkpoint above the last whole one, so that Trainer skips it.

    `checkpoint-8` becomes `incomplete-checkpoint-8`; nothing is deleted. What `save_only_model`
    wrote, what cannot be read and what another run still writes stays, with a warning. Call it
    on the main process while the others wait.

    Args:
        output_dir: the folder that Trainer writes `checkpoint-N` into.
        world_size: processes of the run.

    Returns:
        The new paths, lowest step first.
    """
    left = "no whole one is left to resume from"
    faulty: list[Path] = []
    moved: list[str] = []
    try:
        checkpoints = _newest_first(output_dir)
        ranks = _ranks_that_wrote(checkpoints, world_size)
        for path in checkpoints:
            if not _fault(path, ranks):
                left = f"{path.name} is the last whole one"
                break
            faulty.append(path)
        if faulty and _is_model_only(faulty[0]):
            logger.warning("%s holds no optimizer: %s; %s", faulty[0], FRESH, BY_HAND)
        for path in reversed(faulty):
            moved += _set_aside(path, ranks, left)
    except OSError as error:
        where, why = error.filename or output_dir, error.strerror or error
        logger.warning("cannot read %s (%s): mend its permissions, or %s", where, why, BY_HAND)
    return moved


def _newest_first(output_dir: str | os.PathLike[str]) -> list[Path]:
    names = os.listdir(output_dir) if os.path.exists(output_dir) else []
    steps = {int(m[1]): name for name in names if (m := re.fullmatch(r"checkpoint-(\d+)", name))}
    paths = (Path(output_dir, steps[step]) for step in sorted(steps, reverse=True))
    return [path for path in paths if path.is_dir()]


def _ranks_that_wrote(checkpoints: list[Path], world_size: int) -> set[int]:
    """Return the ranks that left a random state in any of several checkpoints.

    A run that goes on with more processes, or with a disk for each node, misses some in all.
    """
    ranks = set(range(world_size))
    found = ranks.intersection(*[set().union(*map(_ranks, checkpoints))])
    return found if found and len(checkpoints) > 1 else ranks


def _ranks(folder: Path) -> set[int]:
    return {int(path.stem.rpartition("_")[2]) for path in folder.glob("rng_state_*[0-9].pth")}


def _set_aside(path: Path, ranks: set[int], left: str) -> list[str]:
    """Rename one checkpoint and return its new path, or nothing when it stays."""
    if _is_model_only(path):
        return []
    if not _lies_still(path):
        advice = "end that run, or choose another output_dir"
        logger.warning("%s is being written by another run: %s", path, advice)
        return []
    if not (reason := _fault(path, ranks)):
        return []  # finished while this process waited
    target, number = path.with_name(f"incomplete-{path.name}"), 1
    while target.exists():
        number += 1
        target = path.with_name(f"incomplete-{path.name}-{number}")
    try:
        path.rename(target)
    except OSError as error:
        problem = f"cannot be renamed ({error.strerror or error}), and Trainer would resume from it"
        logger.warning("%s is incomplete (%s) but %s: %s", path, reason, problem, BY_HAND)
        return []
    logger.warning("%s is incomplete (%s): it is now %s; %s", path, reason, target.name, left)
    return [str(target)]


def _lies_still(folder: Path) -> bool:
    """Wait until nothing in a folder changes any more, and tell whether that came about."""
    before: list[tuple[Path, int, float]] = []
    for _ in range(LOOKS):
        stats = [(path, path.lstat()) for path in sorted([folder, *folder.rglob("*")])]
        now = [(path, stat.st_size, stat.st_mtime) for path, stat in stats]
        if now == before or time.time() - max(changed for *_, changed in now) > RECENT_SECONDS:
            return True
        before = now
        time.sleep(STILL_SECONDS)
    return False


def _is_model_only(folder: Path) -> bool:
    """Tell what `save_only_model` wrote: whole, for the trainer state is written last."""
    names = {path.name for path in folder.iterdir()}
    trained = names & {"optimizer.pt", "optimizer.bin", "scheduler.pt", "rng_state.pth"}
    return not trained and not _ranks(folder) and not _json_fault(folder / "trainer_state.json")


def _fault(folder: Path, ranks: set[int]) -> str:
    return next(filter(None, _faults(folder, ranks)), "")


def _faults(folder: Path, ranks: set[int]) -> Iterator[str]:
    yield _json_fault(folder / "trainer_state.json")
    if _any(folder, SHARDED):
        return
    adapter = (folder / "adapter_config.json").exists()
    if not _any(folder, WEIGHTS):
        yield f"{'adapter_' if adapter else ''}model.safetensors is missing"
    if not adapter and _any(folder, ("adapter_model.*",)):
        yield "adapter_config.json is missing"
    for path in sorted([*folder.glob("*"), *folder.glob("*/*")]):
        yield _file_fault(path) if path.is_file() else ""
    for index in folder.glob("*.index.json"):
        for name in sorted(set(json.loads(index.read_bytes()).get("weight_map", {}).values())):
            yield "" if (folder / name).exists() else f"{name} of {index.name} is missing"
    if not _any(folder, ("optimizer.pt", "optimizer.bin")):
        yield f"optimizer.pt is missing: {FRESH}"
    if not (folder / "scheduler.pt").exists():
        yield f"scheduler.pt is missing: {FRESH}"
    yield _random_state_fault(folder, ranks)


def _random_state_fault(folder: Path, ranks: set[int]) -> str:
    found, alone = _ranks(folder), (folder / "rng_state.pth").exists()
    if len(ranks) > 1 and (found or not alone):
        missing = [f"rng_state_{rank}.pth" for rank in sorted(ranks - found)]
    else:  # other ranks' files: another number of processes goes on, and Trainer restores none
        missing = [] if found or alone else ["rng_state.pth"]
    return f"{missing[0]} is missing: a resumed run would draw other numbers" if missing else ""


def _any(folder: Path, patterns: tuple[str, ...]) -> bool:
    return any(True for pattern in patterns for _ in folder.glob(pattern))


def _file_fault(path: Path) -> str:
    if path.suffix == ".safetensors":
        return _safetensors_fault(path)
    if path.suffix in (".pt", ".pth", ".bin"):
        return _zip_fault(path)
    read = ("config.json", "adapter_config.json")  # by resuming, unlike other files
    return _json_fault(path) if path.name in read or path.match("*.index.json") else ""


def _json_fault(path: Path) -> str:
    try:
        whole = isinstance(json.loads(path.read_bytes()), dict)
    except FileNotFoundError:
        return f"{path.name} is missing"
    except ValueError:
        whole = False
    return "" if whole else f"{path.name} is no whole JSON object: {path.stat().st_size:,} bytes"


def _safetensors_fault(path: Path) -> str:
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        length = int.from_bytes(file.read(8), "little")
        if size < 8 + length or not length:
            return f"{path.name} is cut short: {size:,} bytes without a whole header"
        text = file.read(length)
    try:
        header = json.loads(text)
        header.pop("__metadata__", None)
        whole = 8 + length + max((each["data_offsets"][1] for each in header.values()), default=0)
    except (ValueError, TypeError, LookupError, AttributeError):
        return f"{path.name} is no safetensors file"
    fault = f"{path.name} is {'cut short' if size < whole else 'too long'}"
    return "" if size == whole else f"{fault}: {size:,} of {whole:,} bytes"


def _zip_fault(path: Path) -> str:
    with path.open("rb") as file:
        start, size = file.read(4), os.fstat(file.fileno()).st_size
    if not b"PK\x03\x04".startswith(start):
        # Pickles of the old format have no end to look for, and files of others any format.
        foreign = start.startswith(b"\x80") or not path.name.startswith(PICKLED)
        return "" if foreign else f"{path.name} is no file of torch.save"
    try:
        zipfile.ZipFile(path).close()
    except (zipfile.BadZipFile, ValueError):
        return f"{path.name} is cut short: {size:,} bytes without the end of a zip file"
    return ""
