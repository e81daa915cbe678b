"""An entry of the cache is used for what it was made of, and never for anything else."""

from __future__ import annotations

import importlib.util
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from torch import nn
from transformers import BertForSequenceClassification, Trainer

from hf_transfer_plugin import prefix_cache
from tests.callbacks.prefix_runs import (
    EXACT,
    ROWS,
    Done,
    Pad,
    Pixels,
    again,
    gap,
    make,
    pictures,
    probe,
    sentences,
    train,
)
from tests.callbacks.tiny import bert, bert_config, resnet

#: A served entry of something else is at least this far away.
OTHER = 1e-4


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    yield
    sys.modules.pop("own_model", None)


Filled = Callable[[Callable[[Path], Trainer], Path], Done]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    """Return what trains with a new cache; where it did so before, it copies what that left."""
    known: dict[Any, tuple[Done, Path]] = {}

    def fill(start: Callable[[Path], Trainer], cache: Path) -> Done:
        if start not in known:
            folder = tmp_path_factory.mktemp("filled")
            known[start] = train(start(folder), folder / "cache"), folder / "cache"
        done, kept = known[start]
        shutil.copytree(kept, cache)
        return done

    return fill


def _texts(longest: int) -> Callable[[Path], Trainer]:
    """Texts that are cut when they are read."""
    words = [" ".join(map(str, each)) for each in sentences()["input_ids"]]
    data = Dataset.from_dict({"text": words, "labels": sentences()["labels"]})

    def transform(rows: dict[str, Any]) -> dict[str, Any]:
        ids = [[int(word) for word in text.split()][:longest] for text in rows["text"]]
        return {"input_ids": ids, "labels": rows["labels"]}

    data.set_transform(transform)
    return lambda folder: make(folder, probe(), data=data, collate=Pad())


def _pictures(transform: Any, **given: Any) -> Callable[[Path], Trainer]:
    def made(folder: Path) -> Trainer:
        data = pictures()
        data.set_transform(transform)
        return make(folder, probe(), model=resnet(), data=data, **given)

    return made


class Brighter:
    """Changes one picture of the right kind, among those that nobody looks at."""

    def __init__(self, by: float, number: int | None = None) -> None:
        self.by, self.number = by, number
        self.lock = threading.Lock()  # as one that guards a file: cannot be pickled

    def __call__(self, rows: dict[str, Any]) -> dict[str, Any]:
        found = Pixels()(rows)
        for place, image in enumerate(rows["image"]):
            if self.number is None or image == _stored()[self.number]:
                found["pixel_values"][place] = found["pixel_values"][place] * self.by
        return found


_KNOWN: list[Any] = []


def _stored() -> Any:
    if not _KNOWN:
        _KNOWN.append(pictures().with_format(None)["image"][:])
    return _KNOWN[0]


class Tensors(torch.utils.data.Dataset[Any]):
    """Pictures as tensors in memory."""

    def __init__(self, transform: Any = None) -> None:
        data = pictures()[:]
        self.pixels, self.labels = torch.stack(data["pixel_values"]), data["labels"]
        self.transform = transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, number: int) -> dict[str, Any]:
        pixels = self.pixels[number]
        changed = pixels if self.transform is None else self.transform(pixels)
        return {"pixel_values": changed, "labels": self.labels[number]}


class Times:
    def __init__(self, by: float) -> None:
        self.by = by

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        return pixels * self.by


def _tensors(row: int | None = None) -> Callable[[Path], Trainer]:
    data = Tensors()
    if row is not None:
        data.pixels[row] = 4 - 4 * data.pixels[row]
    return lambda folder: make(folder, probe(), model=resnet(), data=data)


def _one_row(key: str) -> Callable[[Path], Trainer]:
    def made(folder: Path) -> Trainer:
        rows = sentences()[:]
        rows["labels"][301] ^= key == "labels"
        if key == "input_ids":
            rows["input_ids"][301] = [39 - each + 1 for each in rows["input_ids"][301]]
        return make(folder, probe(), data=Dataset.from_dict(rows), collate=Pad())

    return made


def _bert(change: Callable[[Any], object], **given: Any) -> Callable[[Path], Trainer]:
    def made(folder: Path) -> Trainer:
        model = bert()
        with torch.no_grad():
            change(model)
        return make(folder, probe(), model=model, **given)

    return made


def _plain(folder: Path) -> Trainer:
    return make(folder, probe())


_PICTURES = _pictures(Pixels())


def _checkpoint(seed: int, **config: Any) -> Callable[[Path], Trainer]:
    def made(folder: Path) -> Trainer:
        torch.manual_seed(seed)
        given = bert_config()
        for name, value in config.items():
            setattr(given, name, value)
        BertForSequenceClassification(given).save_pretrained(folder / "checkpoint")
        model = BertForSequenceClassification.from_pretrained(folder / "checkpoint")
        return make(folder, probe(), model=model)

    return made


def _larger(folder: Path) -> Trainer:
    data = pictures()
    data.set_transform(Pixels(change=_upscale))
    return make(folder, probe(), model=resnet(), data=data)


def _upscale(pixels: torch.Tensor) -> torch.Tensor:
    return nn.functional.interpolate(pixels[None], size=48, mode="bilinear")[0]


def _times_three(model: nn.Module, args: Any, output: Any) -> Any:
    return output * 3


def _hooked(model: Any) -> None:
    model.bert.embeddings.register_forward_hook(_times_three)


_SOURCE = """
import torch
from torch import nn


class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Sequential(nn.Linear(8, 8), Act()), nn.Linear(8, 2)

    def forward(self, input_ids, attention_mask, labels):
        x = (nn.functional.one_hot(input_ids % 8, 8) * attention_mask[..., None]).float().sum(1) / 4
        logits = self.head(self.body(x))
        return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}


class Act(nn.Module):
    def forward(self, x):
        return FUNCTION
"""


def _own(function: str) -> Callable[[Path], Trainer]:
    """A model of the user's own, whose code is edited between two runs."""

    def made(folder: Path) -> Trainer:
        file = folder / f"{len(function)}" / "own_model.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(_SOURCE.replace("FUNCTION", function))
        spec = importlib.util.spec_from_file_location("own_model", file)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["own_model"] = module
        spec.loader.exec_module(module)
        torch.manual_seed(0)
        return make(folder, probe(), model=module.Own())

    return made


@dataclass(frozen=True)
class Change:
    """Two Trainers that are not the same."""

    before: Callable[[Path], Trainer]
    after: Callable[[Path], Trainer]
    tolerance: float = EXACT


CHANGES: dict[str, Change] = {
    "one frozen weight": Change(
        _plain, _bert(lambda model: model.bert.encoder.layer[0].output.dense.bias[3].add_(2))
    ),
    "frozen buffer": Change(
        _PICTURES,
        lambda folder: _moved(_PICTURES(folder)),
    ),
    "hook of a frozen layer": Change(_plain, _bert(_hooked)),
    "code of the model": Change(_own("x.tanh()"), _own("x.tanh().cos()")),
    "transform": Change(_PICTURES, _pictures(Pixels(change=Times(0.5)))),
    "setting of a transform": Change(
        _pictures(Pixels(change=Times(0.4))), _pictures(Pixels(change=Times(0.5)))
    ),
    "transform without pickle": Change(_pictures(Brighter(2)), _pictures(Brighter(3))),
    "transform without pickle, one row": Change(
        _pictures(Brighter(-9.0, 301)), _pictures(Brighter(9.0, 301))
    ),
    "words of one row": Change(_plain, _one_row("input_ids")),
    "label of one row": Change(_plain, _one_row("labels")),
    "one row in memory": Change(_tensors(), _tensors(301)),
    "order of rows": Change(
        _plain, lambda folder: make(folder, probe(), data=sentences().shuffle(1), collate=Pad())
    ),
    "fewer rows": Change(
        _plain,
        lambda folder: make(folder, probe(), data=sentences().select(range(550)), collate=Pad()),
    ),
    "longest text": Change(_texts(8), _texts(5)),
    "texts cut before": Change(
        _plain, lambda folder: make(folder, probe(), data=sentences(longest=5), collate=Pad())
    ),
    "checkpoint": Change(_checkpoint(0), _checkpoint(1)),
    "activation function": Change(_checkpoint(0), _checkpoint(0, hidden_act="relu")),
    "image size": Change(_PICTURES, _larger),
    "bf16": Change(_plain, lambda folder: make(folder, probe(), bf16=True), 3e-3),
}


def _moved(run: Trainer) -> Trainer:
    for name, buffer in run.model.named_buffers():  # type: ignore[union-attr]
        if name.endswith("running_mean"):
            buffer.sub_(0.3)
    return run


@pytest.mark.parametrize("name", CHANGES)
def test_what_changes_is_computed_again(name: str, filled: Filled, tmp_path: Path) -> None:
    change, cache = CHANGES[name], tmp_path / "cache"
    first = filled(change.before, cache)
    assert first.rows == ROWS
    plain, done = (train(change.after(tmp_path), folder) for folder in (None, cache))
    assert done.rows == len(change.after(tmp_path).train_dataset)  # type: ignore[arg-type]
    assert gap(plain.weights, done.weights) < change.tolerance
    assert gap(_trained(plain.weights), _trained(first.weights)) > OTHER


def _trained(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    heads = ("classifier", "bert.pooler", "head")
    return {name: value for name, value in weights.items() if name.startswith(heads)}


def test_table_of_changes() -> None:
    assert len(CHANGES) == 19


def _other_head(model: Any) -> None:
    model.classifier.weight.normal_(generator=torch.Generator().manual_seed(1))


REUSES: dict[str, Callable[[Path], Trainer]] = {
    "seed of the head": _bert(_other_head),
    "learning rate": lambda folder: make(folder, probe(), learning_rate=1e-2),
    "seed of the order": lambda folder: make(folder, probe(), seed=7),
    "batch size": lambda folder: make(folder, probe(), per_device_train_batch_size=64),
    "more steps": lambda folder: make(folder, probe(), max_steps=40),
    "accumulation": lambda folder: make(folder, probe(), gradient_accumulation_steps=2),
    "data made again": lambda folder: make(
        folder, probe(), data=Dataset.from_list(list(sentences())), collate=Pad()
    ),
    "workers": lambda folder: make(folder, probe(), dataloader_num_workers=1),
}


@pytest.mark.parametrize("name", REUSES)
def test_what_does_not_matter_is_reused(name: str, filled: Filled, tmp_path: Path) -> None:
    assert filled(_plain, tmp_path / "cache").rows == ROWS
    plain, done = (train(REUSES[name](tmp_path), each) for each in (None, tmp_path / "cache"))
    assert done.rows == 0
    assert gap(plain.weights, done.weights) < EXACT


def test_table_of_reuses() -> None:
    assert len(REUSES) == 8


Between = Callable[[Trainer], object]


def _set_transform(run: Trainer) -> None:
    run.train_dataset.set_transform(Pixels(change=Times(3)))  # type: ignore[union-attr]


def _set_attribute(run: Trainer) -> None:
    run.train_dataset.transform = Times(3)  # type: ignore[union-attr]


def _set_at_the_same_place(run: Trainer) -> None:
    """The new object may lie in memory where the old one lay."""
    data: Any = run.train_dataset
    place, others = id(data.transform), []
    data.transform = None
    while True:
        new = Times(3)
        if id(new) == place or len(others) > 10_000:
            break
        others.append(new)
    data.transform = new


def _inside(run: Trainer) -> None:
    run.train_dataset.transform.by = 3  # type: ignore[union-attr]


def _rows_in_place(run: Trainer) -> None:
    run.train_dataset.pixels[:300] *= 3  # type: ignore[union-attr]


def _inside_of_arrow(run: Trainer) -> None:
    _TIMES.by = 3


def _frozen_weight(run: Trainer) -> None:
    with torch.no_grad():
        next(run.model.parameters()).mul_(3)  # type: ignore[union-attr]


def _other_collator(run: Trainer) -> None:
    run.data_collator = _louder


def _louder(items: Any) -> Any:
    from transformers import default_data_collator

    batch = default_data_collator(items)
    return {**batch, "pixel_values": batch["pixel_values"] * 3}


_TIMES = Times(1)


def _arrow(folder: Path) -> Trainer:
    _TIMES.by = 1
    return _pictures(Pixels(change=_TIMES))(folder)


def _memory(folder: Path) -> Trainer:
    return make(folder, probe(), model=resnet(), data=Tensors(Times(1)))


BETWEEN: dict[str, tuple[Callable[[Path], Trainer], Between]] = {
    "set_transform": (_arrow, _set_transform),
    "inside the transform of datasets": (_arrow, _inside_of_arrow),
    "transform": (_memory, _set_attribute),
    "transform at the same place": (_memory, _set_at_the_same_place),
    "inside the transform": (_memory, _inside),
    "rows in place": (_memory, _rows_in_place),
    "frozen weight": (_arrow, _frozen_weight),
    "collator": (_memory, _other_collator),
}


@pytest.mark.parametrize("name", BETWEEN)
def test_changed_between_two_runs_of_one_trainer(name: str, tmp_path: Path) -> None:
    start, change = BETWEEN[name]
    ends = []
    for cache in (None, tmp_path / "cache"):
        run = start(tmp_path)
        handle = prefix_cache(run, folder=cache) if cache is not None else None
        again(run, handle)
        change(run)
        ends.append(again(run, handle))
    plain, done = ends
    assert done.rows == ROWS
    assert gap(plain.weights, done.weights) < 10 * EXACT


def test_nothing_changed_between_two_runs_of_one_trainer(tmp_path: Path) -> None:
    run = _memory(tmp_path)
    handle = prefix_cache(run, folder=tmp_path / "cache")
    assert again(run, handle).rows == ROWS
    assert again(run, handle).rows == 0


def test_table_of_changes_between_runs() -> None:
    assert len(BETWEEN) == 8
