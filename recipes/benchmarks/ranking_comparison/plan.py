"""What is ranked and on what: candidates, targets, and who must not be counted where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from hf_transfer_plugin.records import Task

__all__ = [
    "CANDIDATES",
    "FEATURE_SCORES",
    "KINDS",
    "ORDERING",
    "PARTS",
    "TARGETS",
    "Source",
    "Target",
    "Tuning",
    "counted",
    "tunings_of",
]

PARTS = ("candidates", "tunings", "scores", "others", "rankings")
FEATURE_SCORES = ("logme", "h_score", "knn_accuracy", "linear_probe_accuracy", "gbc", "nleep")
#: Kind of data -> the score that orders a ranking unless it is told otherwise.
ORDERING = {"text": "logme", "images": "knn_accuracy"}
#: Kind of data -> task.
KINDS: dict[str, Task] = {"text": "text-classification", "images": "image-classification"}


@dataclass(frozen=True)
class Source:
    """How a candidate is made.

    Attributes:
        kind: a key of KINDS.
        network: "minilm", "efficientnet" or "resnet", a tiny one.
        layers: the first layers that are kept; None for all.
        reset: layer groups whose weights are drawn anew ("*" for all).
        dataset: what it is then trained on; "" for nothing.
    """

    kind: str
    network: Literal["minilm", "efficientnet", "resnet"]
    layers: int | None = None
    reset: tuple[str, ...] = ()
    dataset: str = ""


@dataclass(frozen=True)
class Target:
    """A data set that every candidate is fine-tuned on.

    Attributes:
        kind: a key of KINDS.
        classes: only the first so many classes are read; None for all.
        related: data sets that share rows with it.
    """

    kind: str
    classes: int | None = None
    related: tuple[str, ...] = ()


_LATE = ("blocks.5.*", "blocks.6.*", "neck")

CANDIDATES: dict[str, Source] = {
    "minilm": Source("text", "minilm"),
    "minilm-4-layers": Source("text", "minilm", layers=4),
    "minilm-2-layers": Source("text", "minilm", layers=2),
    "minilm-1-layer": Source("text", "minilm", layers=1),
    "minilm-top-reset": Source("text", "minilm", reset=("layer.4", "layer.5", "neck")),
    "minilm-random": Source("text", "minilm", reset=("*",)),
    "minilm-sst2": Source("text", "minilm", dataset="sst2_sentences"),
    "minilm-subj": Source("text", "minilm", dataset="subj"),
    "minilm-ag-news": Source("text", "minilm", dataset="ag_news_subset"),
    "minilm-banking77": Source("text", "minilm", dataset="banking77"),
    "efficientnet": Source("images", "efficientnet"),
    "efficientnet-last-reset": Source("images", "efficientnet", reset=_LATE[1:]),
    "efficientnet-late-reset": Source("images", "efficientnet", reset=_LATE),
    "efficientnet-random": Source("images", "efficientnet", reset=("*",)),
    "efficientnet-photo": Source("images", "efficientnet", dataset="pacs/photo"),
    "efficientnet-cartoon": Source("images", "efficientnet", dataset="pacs/cartoon"),
    "efficientnet-sketch": Source("images", "efficientnet", dataset="pacs/sketch"),
    "resnet-mnist": Source("images", "resnet", reset=("*",), dataset="digits/mnist"),
    "resnet-usps": Source("images", "resnet", reset=("*",), dataset="digits/usps"),
}

TARGETS: dict[str, Target] = {
    "trec6": Target("text"),
    "tweet_emotion": Target("text"),
    "cr": Target("text"),
    "subj": Target("text", related=("sst2_sentences",)),
    "banking77": Target("text", classes=20),
    "ag_news_subset": Target("text"),
    "sst2_sentences": Target("text", related=("subj",)),
    "cats_vs_dogs": Target("images"),
    "oxford_pets37_subset": Target("images"),
    "pacs/art_painting": Target("images"),
    "pacs/cartoon": Target("images"),
    "pacs/sketch": Target("images"),
    "digits/mnist": Target("images"),
    "digits/usps": Target("images"),
}


@dataclass(frozen=True)
class Tuning:
    """One fine-tuning.

    Attributes:
        target: a key of TARGETS.
        candidate: a key of CANDIDATES.
        seed: of the head, the order of rows and dropout.
    """

    target: str
    candidate: str
    seed: int

    @property
    def key(self) -> tuple[str, ...]:
        """Return the key of its result."""
        return ("tuning", self.target, self.candidate, str(self.seed))


def counted(target: str, candidates: Sequence[str]) -> tuple[str, ...]:
    """Return the candidates that read this kind of data and have never seen these rows."""
    wanted = TARGETS[target]
    seen = (target, *wanted.related)
    return tuple(
        name
        for name in candidates
        if CANDIDATES[name].kind == wanted.kind and CANDIDATES[name].dataset not in seen
    )


def tunings_of(targets: Sequence[str], candidates: Sequence[str], seeds: int) -> list[Tuning]:
    """Return every fine-tuning, seed by seed, target by target."""
    return [
        Tuning(target, candidate, seed)
        for seed in range(seeds)
        for target in targets
        for candidate in counted(target, candidates)
    ]
