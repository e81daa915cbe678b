"""transformers.Trainer: layers frozen or not, the outputs of frozen ones kept or not."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

from measured.process import bytes_below, peak_mib
from schedule_comparison.with_trainer import trainer_of

from hf_transfer_plugin import FreezingCallback, prefix_cache
from prefix_comparison.bench import Bench
from prefix_comparison.final_weights import largest_difference, moved_weights, weights_file
from prefix_comparison.plan import REFERENCES
from prefix_comparison.scoring import BatchWatch, accuracy
from prefix_comparison.uses import skipped

__all__ = ["train_arm"]


def train_arm(bench: Bench) -> dict[str, Any]:
    """Train one arm; the time is that of `train()`, filling the cache included."""
    job, arm = bench.job(), bench.run.tool
    if arm == "by hand":
        head = job.weights(("head",))
        job.model.requires_grad_(False)
        for weight in head:
            weight.requires_grad_(True)
    folder = _cache_folder(bench)
    watch = BatchWatch(job.model)
    bare = arm in ("by hand", "full")
    trainer = trainer_of(job, *([] if bare else [FreezingCallback(job.schedule)]))
    trainer.add_callback(watch)
    cache = None
    began = time.perf_counter()
    if folder is not None:
        cache = prefix_cache(trainer, folder=folder, storage=_storage(arm))
    trainer.train()
    seconds = time.perf_counter() - began
    steps = -(-len(job.train) // job.run.batch_size) * job.run.epochs
    result = {"seconds": seconds, "peak_mib": peak_mib(), **watch.finish(steps)}
    if cache is not None and folder is not None:
        result["uses"] = skipped(cache)
        result["cache_bytes"] = bytes_below(folder)
    return result | _weights(bench, job.model) | {"accuracy": _accuracy(bench, job.model)}


def _cache_folder(bench: Bench) -> Path | None:
    """Return where the outputs of the frozen layers go; None where nothing is kept."""
    arm = bench.run.tool
    kept = bench.settings.work / "cache" / f"{bench.run.dataset}-{bench.run.seed}"
    if arm == "cached again":
        if not kept.is_dir():
            raise RuntimeError(f"{kept} is missing: 'cached' fills it")
        return kept
    if arm == "cached":
        shutil.rmtree(kept, ignore_errors=True)
        return kept
    return bench.scratch / "cache" if "cached" in arm else None


def _storage(arm: str) -> str | None:
    kind = arm.partition(", ")[2]
    return kind if "float16" in kind else None


def _weights(bench: Bench, model: Any) -> dict[str, Any]:
    run, work = bench.run, bench.settings.work
    if run.tool == "full":
        return {}
    file = weights_file(work, run.dataset, run.tool, run.seed)
    result: dict[str, Any] = {"moved": len(moved_weights(model, bench.model(), file))}
    if run.tool in REFERENCES:
        reference = weights_file(work, run.dataset, REFERENCES[run.tool], run.seed)
        result["weight_difference"] = largest_difference(file, reference)
    if run.tool not in REFERENCES.values():
        file.unlink()
    return result


def _accuracy(bench: Bench, model: Any) -> float:
    return accuracy(model, bench.test, bench.prepared.collate)
