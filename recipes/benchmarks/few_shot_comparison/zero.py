"""Zero labels on real texts: class names, templates, and an even prior, on one encoding."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from transformers import DataCollatorWithPadding
from tuning.lines import Lines
from tuning.script import say

from few_shot_comparison.settings import Settings
from hf_transfer_plugin.adapt.few_shot.encoders import TextEncoder, embed
from hf_transfer_plugin.adapt.few_shot.heads import unit_rows
from hf_transfer_plugin.adapt.zero_shot import even_prior, label_head, label_texts
from hf_transfer_plugin.checkpoints import Checkpoint
from hf_transfer_plugin.data import load_data
from hf_transfer_plugin.records import DataSpec

__all__ = ["TEXTS", "measure_zero", "zero_key"]

Floats = NDArray[np.float32]

_UNLABELLED = 500
# data set -> texts of its classes where the name says little, and templates
TEXTS: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
    "cr": (
        {"negative": "bad, disappointing and broken", "positive": "good, excellent and reliable"},
        ("{}", "This product is {}.", "My opinion of it is {}."),
    ),
    "tweet_emotion": ({}, ("{}", "This text expresses {}.", "I feel {}.")),
    "trec6": (
        {
            "ABBR": "what an abbreviation stands for",
            "DESC": "a definition, a reason or a description",
            "ENTY": "an animal, a colour, a product, a food or another thing",
            "HUM": "who: a person or a group",
            "LOC": "where: a city, a country or another place",
            "NUM": "how many, how much or when: a number or a date",
        },
        ("{}", "The question asks for {}."),
    ),
    "banking77": ({}, ("{}", "My question to the bank is about {}.")),
    "ag_news_subset": (
        {"Sci/Tech": "science and technology", "World": "world politics"},
        ("{}", "This news is about {}."),
    ),
}


def zero_key(dataset: str, variant: str) -> tuple[str, str, str, str]:
    """Return the key of a result."""
    return dataset, "0", variant, "0"


def measure_zero(datasets: Sequence[str], settings: Settings, lines: Lines) -> None:
    """Measure what the results lack; the same test rows as with labels."""
    missing = [name for name in datasets if zero_key(name, "even prior") not in lines]
    if not missing:
        return
    checkpoint = Checkpoint("sample:minilm")
    encoder, tokenizer = TextEncoder(checkpoint.backbone()), checkpoint.tokenizer()
    collate = DataCollatorWithPadding(tokenizer)

    def vectors(texts: list[str]) -> Floats:
        encoded = tokenizer(texts, truncation=True, max_length=settings.max_length)
        rows = [{key: encoded[key][row] for key in encoded} for row in range(len(texts))]
        return unit_rows(embed(encoder, rows, collate))

    for dataset in missing:
        spec = DataSpec(
            str(Path(settings.data) / dataset),
            max_length=settings.max_length,
            test_examples=settings.test_rows,
        )
        data = load_data(spec, "text-classification")
        (column,) = data.inputs
        test, labels = vectors(list(data.splits["test"][column])), np.array(data.labels("test"))
        drawn = np.random.default_rng(0).permutation(len(data.splits["train"]))[:_UNLABELLED]
        unlabelled = vectors(list(data.splits["train"].select(drawn.tolist())[column]))
        described, templates = TEXTS[dataset]
        heads = {
            "class names": label_head(label_texts(data.class_names, {}, ("{}",)), vectors),
            "texts": label_head(label_texts(data.class_names, described, ("{}",)), vectors),
            "templates": label_head(label_texts(data.class_names, described, templates), vectors),
        }
        scores = {name: head.scores(test) for name, head in heads.items()}
        last = heads["templates"].scores(unlabelled)
        scores["even prior"] = even_prior(scores["templates"], last)
        majority = float(np.bincount(labels).max() / len(labels))
        for name, found in scores.items():
            accuracy = float((found.argmax(1) == labels).mean())
            lines.add(zero_key(dataset, name), {"accuracy": accuracy, "majority": majority})
            say(f"{dataset}, zero labels, {name}: {accuracy:.3f}")
