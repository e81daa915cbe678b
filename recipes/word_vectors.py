# /// script
# requires-python = ">=3.11"
# dependencies = ["hf-transfer-plugin[vectors]"]
# ///
"""Train word2vec or fastText vectors on the texts of a data folder, without their labels.

    pip install 'hf-transfer-plugin[vectors]'
    python recipes/word_vectors.py --data FOLDER [--data FOLDER ...] --out vectors.txt
    hf-tl embeddings vectors.txt --out vectors

Only the train split is read. Skip-gram with negative sampling (Mikolov et al. 2013), or with
character n-grams (Bojanowski et al. 2017), as gensim computes them.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from gensim.models import FastText, Word2Vec
from gensim.models.fasttext import save_facebook_model

from hf_transfer_plugin import TransferError, load_data, session
from hf_transfer_plugin.records import DataSpec


def main() -> None:
    """Read texts, train, write; the suffix of the output chooses the format."""
    parser = argparse.ArgumentParser(description="Word vectors of your own texts")
    parser.add_argument("--data", required=True, action="append", help="folder, file or Hub name")
    parser.add_argument("--out", required=True, type=Path, help="FILE.txt, .bin or .gz")
    parser.add_argument("--fasttext", action="store_true", help="with character n-grams")
    parser.add_argument("--dimension", type=int, default=100, help="numbers of a vector")
    parser.add_argument("--epochs", type=int, default=10, help="passes over the texts")
    parser.add_argument("--min-count", type=int, default=2, help="rarer words get no vector")
    arguments = parser.parse_args()

    sentences = [words for path in arguments.data for words in _sentences(path)]
    print(f"{len(sentences):,} texts, {sum(map(len, sentences)):,} words", flush=True)
    # One worker and a fixed hash of words: the same texts give the same file.
    options = {
        "vector_size": arguments.dimension,
        "epochs": arguments.epochs,
        "min_count": arguments.min_count,
        "sg": 1,
        "window": 5,
        "workers": 1,
        "seed": 0,
    }
    if arguments.fasttext:
        model = FastText(sentences, **options, bucket=100_000)
    else:
        model = Word2Vec(sentences, **options)
    _write(model, arguments.out)
    print(f"written: {arguments.out}, {len(model.wv):,} words", flush=True)


def _sentences(path: str) -> list[list[str]]:
    """Return the lower-case words and signs of each text of the train split."""
    data = load_data(DataSpec(path), "text-classification")
    texts = (text for name in data.inputs for text in data.splits["train"][name])
    return [re.findall(r"\w+|[^\w\s]", text.lower()) for text in texts]


def _write(model: Word2Vec | FastText, out: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        if isinstance(model, FastText) and out.suffix == ".bin":
            save_facebook_model(model, str(out))
        else:
            model.wv.save_word2vec_format(str(out), binary=out.suffix == ".bin")
    except OSError as error:
        raise TransferError(
            arrived=f"cannot write {out}: {error.strerror or error}",
            expected="a file in a folder that this user may write",
            action="choose another --out",
        ) from None


if __name__ == "__main__":
    with session():
        main()
