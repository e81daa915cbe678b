"""`hf-tl embeddings`, and the checkpoint it makes along the line: run, explain, publish."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hf_transfer_plugin import Line
from tests.cli.conftest import Command
from tests.hub_server import HubServer
from tests.tiny_runs import write_config

WORDS = ("film", "bad", "good", "plot", "cast")


@pytest.fixture
def vectors(workplace: Path) -> Path:
    """Write vectors in which the two classes of the tiny texts lie apart."""
    rows = [" ".join(f"{0.1 * (place == index):g}" for place in range(12)) for index in range(5)]
    lines = [f"{word} {row}\n" for word, row in zip(WORDS, rows, strict=True)]
    path = workplace / "glove.txt"
    path.write_text("".join(lines), encoding="utf-8")
    return path


def test_the_whole_line(vectors: Path, command: Command, hub: HubServer) -> None:
    code, out, err = command("embeddings", "glove.txt", "--out", "made", "--data", "texts")
    assert code == 0, err
    assert out.splitlines()[:4] == [
        "text without a header (GloVe): 5 words of 12 numbers",
        "texts are brought into lower case",
        "known: 64.6% of 158 tokens, 18.5% of 27 different ones",
        "texts without a known word: 0 of 40",
    ]
    assert "most frequent unknown: end  score" in out and out.endswith("written: made\n")

    write_config(
        Path("vectors.yaml"), checkpoint="./made", schedule={"name": "linear_probe"},
        controls=["majority"], run_folder="run", batch_size=8,
        training={"max_steps": 30, "learning_rate": 0.3},
    )  # fmt: skip
    code, out, err = command("run", "vectors.yaml")
    assert code == 0, err
    assert "35.4% of the tokens of train are unknown to it" in err
    (head,) = (line for line in out.splitlines() if line.startswith("head "))
    assert " 26 " in head
    result = Line.open("run").run()[0]
    assert result.model_type == "static_embeddings" and result.groups == ("embeddings", "head")
    assert result.scores() == (1.0, 1.0)

    code, out, err = command("publish", "run", "tester/vectors")
    assert code == 0, err
    card = hub.store.files("tester/vectors")["README.md"].decode()
    assert "import hf_transfer_plugin.word_vectors" in card
    assert "library_name: hf-transfer-plugin" in card
    assert "no code of this repository is run" in card
    config = json.loads(hub.store.files("tester/vectors")["config.json"])
    assert config["model_type"] == "static_embeddings" and "auto_map" not in config


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere.txt",), "cannot read nowhere.txt: No such file"),
        (("glove.txt", "--format", "word2vec"), "has no header, number and size, in its first"),
        (("glove.txt", "--data", "nowhere"), "nowhere"),
        (("glove.txt", "--out", "texts"), "texts is there already"),
    ],
)
def test_a_mistake_ends_with_2_and_writes_nothing(
    words: tuple[str, ...], said: str, vectors: Path, command: Command
) -> None:
    out = () if "--out" in words else ("--out", "made")
    code, _, err = command("embeddings", *words, *out)
    assert code == 2 and said in err and "expected: " in err and "to do: " in err
    assert "Traceback" not in err and not list(vectors.parent.rglob("*made*"))
