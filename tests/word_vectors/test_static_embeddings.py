"""A checkpoint of word vectors: exact, reloadable, trainable, and never NaN."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    AutoModel,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
    pipeline,
)

from hf_transfer_plugin import (
    FreezingCallback,
    FreezingSchedule,
    TransferError,
    layer_groups,
    prefix_cache,
    static_embeddings,
)
from hf_transfer_plugin.checkpoints import Checkpoint
from tests.word_vectors.vector_files import DIMENSION, VECTORS, WORDS, write_vectors

TEXTS = ["The film, good!", "bad... bad film", "isn't 3 é’s", "unknown words", "", "  "]
CUT = [
    ["the", "film", "good"],
    ["bad", "...", "bad", "film"],
    ["n't", "3", "é", "'s"],
    [],
    [],
    [],
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("vectors")
    file = write_vectors(place / "glove.txt", header=False)
    return static_embeddings(file).save(place / "made")


@pytest.mark.parametrize("pooling", ["mean", "max", "mean_max"])
def test_pooling_is_that_of_the_known_words(pooling: str, tmp_path: Path) -> None:
    made = static_embeddings(write_vectors(tmp_path / "v.txt"), pooling=pooling)
    made.save(tmp_path / "made")
    model: Any = AutoModel.from_pretrained(tmp_path / "made")
    batch = made.tokenizer(TEXTS, padding=True, return_tensors="pt")
    given = model(**batch).pooler_output.detach().numpy()
    for text, row in zip(CUT, given, strict=True):
        rows = np.stack([VECTORS[WORDS.index(word)] for word in text] or [np.zeros(DIMENSION)])
        parts = {"mean": [rows.mean(0)], "max": [rows.max(0)]}
        wanted = np.concatenate([part for name in pooling.split("_") for part in parts[name]])
        np.testing.assert_allclose(row, wanted, atol=1e-6)
    alone = [model(**made.tokenizer(text, return_tensors="pt")).pooler_output for text in TEXTS]
    np.testing.assert_allclose(torch.cat(alone).detach().numpy(), given, atol=1e-6)


def test_it_saves_and_loads_the_same_logits(folder: Path, tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=3).eval()
    batch = tokenizer(TEXTS, padding=True, return_tensors="pt")
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    again: Any = AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
    assert torch.equal(again(**batch).logits, model(**batch).logits)
    assert [file.name for file in tmp_path.glob("*.safetensors")] == ["model.safetensors"]
    answers = pipeline("text-classification", model=str(tmp_path))(TEXTS)
    chosen = model(**batch).logits.argmax(1).tolist()
    assert [answer["label"] for answer in answers] == [f"LABEL_{index}" for index in chosen]
    assert layer_groups(again).names == ("embeddings", "head")


def test_a_table_at_random_is_of_the_same_shape_and_spread(folder: Path) -> None:
    torch.manual_seed(0)
    random = Checkpoint(str(folder)).classifier("text-classification", ["a", "b"], weights="random")
    table = random.get_parameter("static.embeddings.weight")
    assert table.shape == (len(WORDS) + 2, DIMENSION) and not table[:2].any()
    assert float(table[2:].detach().std()) == pytest.approx(VECTORS.std(), rel=0.1)
    assert not np.allclose(table[2:].detach().numpy(), VECTORS)


@pytest.mark.parametrize("cached", [True, False], ids=["prefix cache", "without"])
def test_a_probe_leaves_every_vector_as_it_is(folder: Path, tmp_path: Path, cached: bool) -> None:
    checkpoint = Checkpoint(str(folder))
    model: Any = checkpoint.classifier("text-classification", ["a", "b"])
    tokenizer = checkpoint.tokenizer()
    texts = [*TEXTS[:4] * 6, ""]
    rows = [{**tokenizer(text), "labels": index % 2} for index, text in enumerate(texts)]
    before = {name: value.clone() for name, value in model.state_dict().items()}
    args = TrainingArguments(
        str(tmp_path), num_train_epochs=3, use_cpu=True, disable_tqdm=True, learning_rate=0.1,
        weight_decay=0.1, save_strategy="no",
    )  # fmt: skip
    trainer = Trainer(
        model=model,
        args=args,
        train_dataset=rows,
        data_collator=DataCollatorWithPadding(tokenizer),
        callbacks=[FreezingCallback(FreezingSchedule.linear_probe())],
    )
    cache = prefix_cache(trainer) if cached else None
    trainer.train()
    after = model.state_dict()
    assert all(value.isfinite().all() for value in after.values())
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"classifier.weight", "classifier.bias"}
    if cache is not None:
        assert [use.rows for use in cache.uses] == [len(rows)], cache.uses


def test_full_training_moves_the_words_that_occur_and_no_other(folder: Path) -> None:
    model: Any = Checkpoint(str(folder)).classifier("text-classification", ["a", "b"])
    batch = Checkpoint(str(folder)).tokenizer()(["good unknown", "bad"], padding=True)
    inputs = {name: torch.tensor(value) for name, value in batch.items()}
    model(**inputs, labels=torch.tensor([0, 1])).loss.backward()
    moved = model.static.embeddings.weight.grad.abs().sum(1).nonzero().flatten().tolist()
    assert moved == [2 + WORDS.index("good"), 2 + WORDS.index("bad")]


def test_case_follows_the_words(tmp_path: Path) -> None:
    content = write_vectors(tmp_path / "v.txt").read_text("utf-8")
    cased = tmp_path / "cased.txt"
    cased.write_text(content.replace("bad ", "Film "), "utf-8")
    kept = static_embeddings(cased)
    assert not kept.lowercase
    assert kept.tokenizer.tokenize("film Film FILM") == ["film", "Film", "[UNK]"]
    merged = static_embeddings(cased, lowercase=True)
    assert merged.merged == 1 and merged.tokenizer.tokenize("film Film FILM") == ["film"] * 3
    row = merged.model.embeddings.weight[2].detach().numpy()
    assert np.array_equal(row, VECTORS[WORDS.index("film")])


def test_nothing_is_overwritten(folder: Path, tmp_path: Path) -> None:
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    made = static_embeddings(write_vectors(tmp_path / "v.txt"), limit=3)
    with pytest.raises(TransferError, match="is there already"):
        made.save(folder)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
