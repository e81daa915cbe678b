"""Each method on each draw: predictions, accuracy and seconds."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tuning.lines import Lines
from tuning.script import say

from few_shot_comparison.settings import METHODS, SETFIT, Place, Settings
from hf_transfer_plugin.checkpoints import Checkpoint
from hf_transfer_plugin.data import TargetData, load_data
from hf_transfer_plugin.few_labels.learner import Learner
from hf_transfer_plugin.few_shot_records import Contrastive
from hf_transfer_plugin.records import DataSpec

__all__ = ["LABELS", "measure"]

LABELS = "labels"  # the key of the true classes of a data set
_WORKER = Path(__file__).with_name("with_setfit.py")


def measure(
    places: Sequence[Place],
    methods: Sequence[str],
    settings: Settings,
    lines: Lines,
    setfit: str | None,
) -> None:
    """Measure what the results lack.

    Args:
        places: what to measure.
        methods: some of `METHODS`.
        settings: of all.
        lines: the results.
        setfit: python of an environment that has SetFit; None leaves it out.
    """
    for place in places:
        wanted = [each for each in METHODS if each in methods and (each != SETFIT or setfit)]
        missing = [key for key in _keys(place, wanted) if key not in lines]
        if not missing:
            continue
        data, checkpoint = _loaded(place, settings)
        labels = data.labels("test")
        if (LABELS, place.dataset) not in lines:
            lines.add((LABELS, place.dataset), {"labels": list(labels)})
        learner = Learner(checkpoint, data, Contrastive())
        for key in missing:
            method, draw = key[2], int(key[3])
            rows = learner.draw(place.shots, draw)
            if method == SETFIT:
                assert setfit is not None
                result = _with_setfit(setfit, settings, data, checkpoint, rows, draw)
            else:
                result = _with_learner(learner, method, rows, draw)
            right = sum(a == b for a, b in zip(result["predictions"], labels, strict=True))
            lines.add(key, {**result, "accuracy": right / len(labels)})
            say(f"{' '.join(key)}: {right / len(labels):.3f}, {result['cpu_seconds']:.1f} s")


def _keys(place: Place, methods: Sequence[str]) -> Iterator[tuple[str, str, str, str]]:
    for draw in range(place.draws):
        for method in methods:
            if method in place.methods:
                yield place.dataset, str(place.shots), method, str(draw)


def _loaded(place: Place, settings: Settings) -> tuple[TargetData, Checkpoint]:
    spec = DataSpec(
        str(Path(settings.data) / place.dataset),
        max_length=settings.max_length,
        image_size=settings.image_size if place.images else None,
        test_examples=settings.test_rows,
    )
    if place.images:
        return load_data(spec, "image-classification"), Checkpoint("sample:efficientnet-lite0")
    return load_data(spec, "text-classification"), Checkpoint("sample:minilm")


def _with_learner(learner: Learner, method: Any, rows: Sequence[int], draw: int) -> dict[str, Any]:
    learner.forget()
    learner.reset()
    cpu = time.process_time()
    fitted = learner.fit(method, rows, draw)
    cpu = time.process_time() - cpu
    return {
        "predictions": learner.predict_test(fitted).tolist(),
        "seconds": fitted.seconds,
        "cpu_seconds": cpu,
        "steps": fitted.steps,
    }


def _with_setfit(
    python: str,
    settings: Settings,
    data: TargetData,
    checkpoint: Checkpoint,
    rows: Sequence[int],
    draw: int,
) -> dict[str, Any]:
    (column,) = data.inputs
    drawn = data.splits["train"].select(rows)
    with tempfile.TemporaryDirectory() as scratch:
        job = {
            "checkpoint": str(_sentence_folder(checkpoint, Path(scratch))),
            "texts": list(drawn[column]),
            "labels": list(drawn["label"]),
            "test": list(data.splits["test"][column]),
            "iterations": settings.iterations,
            "max_length": settings.max_length,
            "threads": settings.threads,
            "seed": draw,
        }
        asked, answered = Path(scratch) / "job.json", Path(scratch) / "result.json"
        asked.write_text(json.dumps(job), encoding="utf-8")
        environment = {
            **os.environ,
            "HF_HUB_OFFLINE": "1",
            "OMP_NUM_THREADS": str(settings.threads),
        }
        environment.pop("PYTHONPATH", None)
        command = [python, str(_WORKER), str(asked), str(answered)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{python} {_WORKER.name} failed:\n{done.stderr[-2000:]}")
        found: dict[str, Any] = json.loads(answered.read_text(encoding="utf-8"))
    return found


def _sentence_folder(checkpoint: Checkpoint, scratch: Path) -> Path:
    """Return the same weights as a folder of sentence-transformers, whose last part is empty."""
    folder = scratch / "checkpoint"
    folder.mkdir()
    for file in Path(checkpoint.path).iterdir():
        (folder / file.name).symlink_to(file)
    (folder / "2_Normalize").mkdir(exist_ok=True)
    return folder
