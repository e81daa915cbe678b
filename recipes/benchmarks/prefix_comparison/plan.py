"""What is to be measured: data sets, arms and the runs of each part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from schedule_comparison.runs import BenchmarkDataset, Run

__all__ = [
    "ARMS",
    "DATASETS",
    "MEMORY_ROWS",
    "MEMORY_TOOLS",
    "PARTS",
    "REFERENCES",
    "TOP_EPOCHS",
    "method_of",
    "needs",
    "runs_of",
]

#: Epochs of each of the two last phases of "staged", which train the top layer and the top two.
TOP_EPOCHS = 2
#: With the cache, and the same Trainer without it, which has lists of its own as long as the data.
MEMORY_TOOLS = ("memory", "memory, frozen")
#: Rows of the two runs whose memory is compared.
MEMORY_ROWS = (10_000, 100_000)

# By part, in the order of measuring: an arm stands after the arm that its weights are held against.
_ARMS = {
    "prefix": ("forward", "frozen", "cached", "cached again", "by hand", "full"),
    "staged": ("forward", "staged", "staged, cached", "staged, limit"),
    "others": ("embeddings", "setfit", "fastai", "finetuning-scheduler"),
    "storage": ("cached", "cached, float16", "cached, bfloat16"),
}
PARTS = (*_ARMS, "memory")
ARMS = tuple(dict.fromkeys(arm for arms in _ARMS.values() for arm in arms))

#: Arm -> the arm with the same seed whose final weights it should have.
REFERENCES = {
    "cached": "frozen",
    "cached again": "frozen",
    "staged, cached": "staged",
    "cached, float16": "cached",
    "cached, bfloat16": "cached",
}

#: Rates of 10 epochs of batches of 32, chosen on the validation split (see the README).
DATASETS = {
    each.name: each
    for each in (
        BenchmarkDataset(
            "trec6",
            "text-classification",
            "sample:minilm",
            {"probe": 1e-2, "full": 3e-4},
            epochs=10,
            batch_size=32,
        ),
        BenchmarkDataset(
            "tweet_emotion",
            "text-classification",
            "sample:minilm",
            {"probe": 1e-2, "full": 1e-4},
            epochs=10,
            batch_size=32,
        ),
        BenchmarkDataset(
            "oxford_pets37_subset",
            "image-classification",
            "sample:efficientnet-lite0",
            {"probe": 1e-3, "full": 3e-4},
            epochs=10,
            batch_size=32,
        ),
        BenchmarkDataset(
            "cats_vs_dogs",
            "image-classification",
            "sample:efficientnet-lite0",
            {"probe": 1e-3, "full": 3e-4},
            epochs=10,
            batch_size=32,
        ),
    )
}


def method_of(arm: str) -> str:
    """Return what an arm trains: "full", "staged" or, like most, "probe"."""
    if arm.startswith("staged"):
        return "staged"
    return "full" if arm == "full" else "probe"


def needs(run: Run) -> Run | None:
    """Return the run that leaves on disk what this one reads: a filled cache."""
    if run.tool != "cached again":
        return None
    return replace(run, tool="cached")


def runs_of(
    parts: Sequence[str],
    datasets: Sequence[str],
    arms: Sequence[str],
    *,
    repeats: int,
    examples: int,
    epochs: int,
    full_epochs: int,
) -> list[Run]:
    """Return the runs of some parts, seed by seed, the arms of one seed next to each other.

    Args:
        parts: of PARTS.
        datasets: keys of DATASETS.
        arms: no other arm is measured.
        repeats: seeds, from 0.
        examples: training rows; 0 for all.
        epochs: with a frozen backbone; "staged" has two more.
        full_epochs: of full fine-tuning, whose time is scaled up to `epochs`.
    """
    own = {"full": full_epochs, "staged": epochs + 2, "probe": epochs}
    runs = [
        _run(dataset, arm, seed, own[method_of(arm)], examples)
        for seed in range(repeats)
        for dataset in datasets
        for part in parts
        for arm in _ARMS.get(part, ())
        if arm in arms and (arm != "setfit" or DATASETS[dataset].task == "text-classification")
    ]
    if "memory" in parts:
        runs += [
            _memory_run(tool, rows, seed)
            for seed in range(repeats)
            for tool in MEMORY_TOOLS
            for rows in MEMORY_ROWS
        ]
    return list(dict.fromkeys(runs))


def _run(dataset: str, arm: str, seed: int, epochs: int, examples: int) -> Run:
    chosen = DATASETS[dataset]
    method = method_of(arm)
    return Run(
        dataset=dataset,
        tool=arm,
        method=method,
        seed=seed,
        learning_rate=chosen.rates.get(method, chosen.rates["probe"]),
        epochs=epochs,
        examples=examples,
        batch_size=chosen.batch_size,
    )


def _memory_run(tool: str, rows: int, seed: int) -> Run:
    return Run(
        dataset="synthetic",
        tool=tool,
        method="probe",
        seed=seed,
        learning_rate=1e-3,
        epochs=2,
        examples=rows,
        batch_size=32,
    )
