"""Measure what objectives of two domains gain where words mean something in one domain alone.

All of it, two minutes on one core:
    python recipes/benchmarks/word_shift.py --out RESULTS.jsonl
    python recipes/benchmarks/word_shift.py --table --out RESULTS.jsonl

A first look:
    python recipes/benchmarks/word_shift.py --seeds 1 --ways dann mmd

Texts of two classes are drawn. Two words of each tell its class, and no other domain knows them;
a shared word tells it too, and sometimes lies; five words say nothing. A tiny BERT with random
weights learns the source, then goes on with pairs of rows of both domains and the objective.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from measured.kept_lines import Line, add_file_options, measured_lines
from measured.table import Table
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    PrinterCallback,
    Trainer,
    TrainingArguments,
    default_data_collator,
)

from hf_transfer_plugin import DomainPairs, DomainPairsCollator, ObjectiveCallback

Rows = list[dict[str, Any]]
Options = Mapping[str, Any]

# Words of each class: those that both domains know, those that one knows, and those of neither.
SHARED = ((4, 8), (8, 12))
OWN = {"source": ((12, 16), (16, 20)), "target": ((20, 24), (24, 28))}
NOISE = (28, 60)
FIRST_TOKEN = 3
ROWS, BATCH = 400, 16
SIZES: dict[str, Any] = {
    **{"vocab_size": 64, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2},
    **{"num_attention_heads": 2, "max_position_embeddings": 16},
}
NO_DROPOUT: dict[str, Any] = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
SOURCE_STEPS, SOURCE_RATE = 60, 2e-3
PAIR_STEPS, PAIR_RATE = 80, 7e-4


@dataclass(frozen=True)
class Place:
    """Where ways are held against one another.

    Attributes:
        title: of its table.
        right: domain -> how often the shared word tells the class.
        is_trained: the network learned the source first; else pairs have the source's rate.
        ways: objectives, None for none.
    """

    title: str
    right: Mapping[str, float]
    is_trained: bool
    ways: Sequence[Options | None]


SHIFTED = {"source": 0.87, "target": 0.97}
FAST = {"warmup": 20, "width": 64, "rate": 0.01}
SLOW = {"warmup": 8, "width": 64, "rate": 0.001}
CONFUSION = tuple(
    {"name": "domain_confusion", "weight": weight, "rate": rate}
    for weight in (0.1, 1.0)
    for rate in (0.001, 0.003, 0.01)
)
PLACES = (
    Place(
        "The shared word tells the truth in 87 % of the source and 97 % of the target",
        SHIFTED,
        True,
        (
            None,
            {"name": "dann", **FAST},
            {"name": "cdan", **FAST},
            *({"name": name} for name in ("mmd", "coral", "mcc")),
            *CONFUSION,
        ),
    ),
    Place(
        "The shared word tells the truth in 90 % of both",
        {"source": 0.9, "target": 0.9},
        True,
        (None, {"name": "dann", **FAST}, {"name": "dann", **SLOW}),
    ),
    Place(
        "87 % and 97 %, from an untrained network",
        SHIFTED,
        False,
        (None, *({"name": "mmd", "weight": weight} for weight in (0.01, 0.1, 1.0))),
    ),
)


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description="Objectives of two domains under a shift of words")
    names = list(dict.fromkeys(map(_name, (way for place in PLACES for way in place.ways))))
    parser.add_argument("--ways", nargs="+", choices=names, default=names)
    parser.add_argument("--seeds", type=int, default=3, help="of the network")
    add_file_options(parser)
    options = parser.parse_args()

    def measure() -> Iterator[Line]:
        torch.set_num_threads(1)  # sums of several threads may differ in their last bits
        for place in PLACES:
            for seed in range(options.seeds):
                yield from _lines(place, seed, options.ways)

    lines = measured_lines(options, measure)
    for title in dict.fromkeys(line["place"] for line in lines):
        print(_table(title, [line for line in lines if line["place"] == title]), end="\n\n")


def _name(way: Options | None) -> str:
    return "none" if way is None else str(way["name"])


def _table(title: str, lines: Sequence[Line]) -> str:
    """Return a row a way and a column a seed, accuracy on the target and on the source."""
    seeds = sorted({line["seed"] for line in lines})
    found: dict[str, dict[int, str]] = {}
    for line in lines:
        accuracies = f"{line['target']:.3f} / {line['source']:.3f}"
        found.setdefault(line["way"], {})[line["seed"]] = accuracies
    headers = ("accuracy, target / source", *(f"seed {seed}" for seed in seeds))
    rows = tuple((way, *(by[seed] for seed in seeds)) for way, by in found.items())
    return Table(title, headers, rows).markdown()


def _lines(place: Place, seed: int, names: Sequence[str]) -> Iterator[Line]:
    """Train each way from the same network, and measure it on rows of both domains."""
    rows = [_texts("source", 0, place.right), _texts("target", 1, place.right)]
    tests = {"target": _texts("target", 2, place.right), "source": _texts("source", 3, place.right)}
    network = _network(seed)
    if place.is_trained:
        _train(network, rows, None, SOURCE_STEPS, SOURCE_RATE)
    for way in place.ways:
        if _name(way) in names:
            model = deepcopy(network)
            _train(model, rows, way, PAIR_STEPS, PAIR_RATE if place.is_trained else SOURCE_RATE)
            accuracies = {domain: _accuracy(model, test) for domain, test in tests.items()}
            yield {"place": place.title, "way": _words(way), "seed": seed, **accuracies}


def _words(way: Options | None) -> str:
    if way is None:
        return "no objective"
    options = (f"{key} {value:g}" for key, value in way.items() if key != "name")
    return ", ".join((f"`{way['name']}`", *options))


def _texts(domain: str, seed: int, right: Mapping[str, float]) -> Rows:
    draw, rows = np.random.default_rng(seed), []
    for _ in range(ROWS):
        label = int(draw.integers(2))
        words = [int(draw.integers(*OWN[domain][label])) for _ in range(2)]
        told = label if draw.random() < right[domain] else 1 - label
        words += [int(draw.integers(*SHARED[told])), *map(int, draw.integers(*NOISE, size=5))]
        draw.shuffle(words)
        rows.append({"input_ids": [FIRST_TOKEN, *words], "labels": label})
    return rows


def _network(seed: int) -> Any:
    torch.manual_seed(seed)
    return BertForSequenceClassification(BertConfig(**SIZES, **NO_DROPOUT))


def _train(model: Any, rows: Sequence[Rows], way: Options | None, steps: int, rate: float) -> None:
    """Train on pairs of rows of both domains; without an objective the target's are not used."""
    with TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder,
            max_steps=steps,
            per_device_train_batch_size=BATCH,
            learning_rate=rate,
            logging_strategy="no",
            save_strategy="no",
            use_cpu=True,
            disable_tqdm=True,
            report_to=[],
        )
        trainer = Trainer(
            model=model,
            args=arguments,
            train_dataset=DomainPairs(*rows),
            data_collator=DomainPairsCollator(default_data_collator),
            callbacks=[] if way is None else [ObjectiveCallback(way)],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()


def _accuracy(model: Any, rows: Rows) -> float:
    batch = default_data_collator(rows)
    with torch.no_grad():
        logits = model.eval()(batch["input_ids"]).logits
    return float((logits.argmax(1) == batch["labels"]).float().mean())


if __name__ == "__main__":
    main()
