"""What is to be measured: data sets, methods and the single runs of each part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

__all__ = [
    "DATASETS",
    "METHODS",
    "PARTS",
    "TOOLS",
    "BenchmarkDataset",
    "Run",
    "ablation_runs",
    "agreement_runs",
    "comparison_runs",
    "overhead_run",
    "rate_runs",
]

PARTS = ("others", "overhead", "ablation", "rates", "agreement")

#: Tool -> the method that it trains in the comparison.
TOOLS = {
    "trainer": "full",
    "plugin": "gradual",
    "plugin-moving": "gradual",
    "finetuning-scheduler": "gradual",
    "fastai": "gradual",
}

#: Rows of the ablation -> (tool, test error in ULMFiT, table 6, TREC-6; None where it has none).
METHODS: dict[str, tuple[str, float | None]] = {
    "full": ("trainer", 6.86),
    "last layer": ("plugin", 16.09),
    "gradual": ("plugin", None),
    "discriminative": ("plugin", 6.21),
    "combined": ("plugin", 5.69),
}

#: Seed of the runs that choose learning rates; no measured run has it.
RATE_SEED = 1000
RATE_GRID = {
    "full": (3e-5, 1e-4, 3e-4, 1e-3, 3e-3),
    "last layer": (1e-3, 3e-3, 1e-2),
    "discriminative": (3e-4, 1e-3, 3e-3),
    "combined": (3e-4, 1e-3, 3e-3, 1e-2),
}


@dataclass(frozen=True)
class BenchmarkDataset:
    """A data set, the checkpoint that is tuned on it, and the settings chosen for the pair.

    Attributes:
        name: its folder below `--data`.
        checkpoint: as `Checkpoint` takes it.
        rates: method -> learning rate; a method that is missing takes that of "full".
        epochs: passes over the training examples, each of them a phase when thawing gradually.
    """

    name: str
    task: Literal["text-classification", "image-classification"]
    checkpoint: str
    rates: dict[str, float]
    epochs: int
    batch_size: int = 16


DATASETS = {
    each.name: each
    for each in (
        BenchmarkDataset(
            "trec6",
            "text-classification",
            "sample:minilm",
            {"full": 3e-4, "last layer": 3e-3, "discriminative": 1e-3, "combined": 3e-3},
            epochs=4,
        ),
        BenchmarkDataset(
            "tweet_emotion", "text-classification", "sample:minilm", {"full": 1e-4}, epochs=4
        ),
        BenchmarkDataset(
            "oxford_pets37_subset",
            "image-classification",
            "sample:efficientnet-lite0",
            {"full": 3e-4},
            epochs=4,
        ),
    )
}


@dataclass(frozen=True)
class Run:
    """One measured training; equal runs are trained once, whatever asks for them.

    Attributes:
        tool: a key of TOOLS, or "overhead" for the step times of several Trainers in turn.
        method: a key of METHODS.
        split: the split whose accuracy is measured.
        examples: training examples, a stratified subset.
        repeats: how often each Trainer of "overhead" runs; 1 elsewhere.
        dropout: whether there is any; without it nothing is random after the head is drawn.
    """

    dataset: str
    tool: str
    method: str
    seed: int
    learning_rate: float
    epochs: int
    examples: int
    batch_size: int
    split: str = "test"
    repeats: int = 1
    dropout: bool = True

    @property
    def label(self) -> str:
        """Return a name for progress and logs."""
        rate = f", rate {self.learning_rate:g}" if self.split == "validation" else ""
        return f"{self.dataset}, {self.tool}, {self.method}, seed {self.seed}{rate}"


def _run(
    dataset: str, tool: str, method: str, seed: int, examples: int, epochs: int | None, **more: Any
) -> Run:
    chosen = DATASETS[dataset]
    more.setdefault("learning_rate", chosen.rates.get(method, chosen.rates["full"]))
    return Run(
        dataset=dataset,
        tool=tool,
        method=method,
        seed=seed,
        epochs=epochs or chosen.epochs,
        examples=examples,
        batch_size=chosen.batch_size,
        **more,
    )


def comparison_runs(
    datasets: Sequence[str], tools: Sequence[str], seeds: int, examples: int, epochs: int | None
) -> list[Run]:
    """Return the runs of every tool on every data set, seed by seed."""
    return [
        _run(dataset, tool, TOOLS[tool], seed, examples, epochs)
        for dataset in datasets
        for seed in range(seeds)
        for tool in tools
    ]


def ablation_runs(seeds: int, examples: int, epochs: int | None) -> list[Run]:
    """Return the runs of ULMFiT's ablation on TREC-6; some are those of the comparison."""
    return [
        _run("trec6", tool, method, seed, examples, epochs)
        for seed in range(seeds)
        for method, (tool, _) in METHODS.items()
    ]


def rate_runs(datasets: Sequence[str], examples: int, epochs: int | None) -> list[Run]:
    """Return the runs that choose learning rates, each measured on validation rows."""
    return [
        _run(
            dataset,
            METHODS[method][0],
            method,
            RATE_SEED,
            examples,
            epochs,
            learning_rate=rate,
            split="validation",
        )
        for dataset in datasets
        for method, grid in RATE_GRID.items()
        if method == "full" or dataset == "trec6"
        for rate in grid
    ]


def overhead_run(examples: int, repeats: int) -> Run:
    """Return the run that compares the time of a step with and without the callback."""
    return _run("trec6", "overhead", "full", 0, examples, 1, repeats=repeats)


def agreement_runs() -> list[Run]:
    """Return short runs without dropout, which end with the same weights if all else is equal."""
    return [
        _run("trec6", tool, method, 0, 64, 2, dropout=False)
        for tool, method in TOOLS.items()
        if method == "gradual"
    ]
