"""A tokenizer that looks words up as a file of word vectors spells them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from hf_transfer_plugin.errors import CheckpointError

__all__ = ["PADDING", "UNKNOWN", "is_lower_case", "token_counts", "word_tokenizer"]

PADDING, UNKNOWN = "[PAD]", "[UNK]"
# Words of letters and digits, and every other character but white space alone.
_PLAIN = r"\w+|[^\w\s]"
# The clitics that the Penn Treebank cuts off: do n't, it 's.
_CLITICS = r"(?i:n't|'(?:s|re|ve|ll|d|m))(?!\w)"
_MOST_SIGNS = 100


def is_lower_case(words: Iterable[str]) -> bool:
    """Tell whether no word has an upper-case letter."""
    return all(word == word.lower() for word in words)


def word_tokenizer(words: Sequence[str], *, lowercase: bool) -> PreTrainedTokenizerFast:
    """Return a tokenizer of whole words; ids 0 and 1 are the padding and every unknown word.

    Text is cut at white space and around every character that is neither letter nor digit. What
    the words hold of "...", "--" and the like stays whole (the first 100), and where they hold
    "n't" and "'s", these are cut off whole, as the Penn Treebank and GloVe do. A typographic
    apostrophe is a straight one unless the words know it.

    Args:
        words: each once; the first one has id 2.
        lowercase: bring text into lower case first.

    Raises:
        CheckpointError: when a word is spelled like padding or unknown.
    """
    vocabulary = {word: index for index, word in enumerate((PADDING, UNKNOWN, *words))}
    if len(vocabulary) < len(words) + 2:
        raise CheckpointError(
            arrived=f"one of the words is {PADDING} or {UNKNOWN}",
            expected="words of a language: the tokenizer needs these two for itself",
            action="remove that word from the file",
        )
    made = Tokenizer(models.WordLevel(vocabulary, UNKNOWN))
    steps: list[normalizers.Normalizer] = [normalizers.Lowercase()] if lowercase else []
    if "’" not in vocabulary:
        steps.append(normalizers.Replace("’", "'"))
    made.normalizer = normalizers.Sequence(steps)
    made.pre_tokenizer = pre_tokenizers.Split(Regex(_pattern(vocabulary)), "removed", invert=True)
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        pad_token=PADDING,
        unk_token=UNKNOWN,
        model_input_names=["input_ids", "attention_mask"],
    )


def _pattern(vocabulary: Mapping[str, int]) -> str:
    signs = (word for word in vocabulary if re.fullmatch(r"[^\w\s]{2,}", word))
    kept = sorted(islice(signs, _MOST_SIGNS), key=len, reverse=True)
    parts = [re.escape(sign) for sign in kept]
    if {"n't", "'s"} <= vocabulary.keys():
        parts += [_CLITICS, rf"\w+?(?={_CLITICS})"]
    return "|".join((*parts, _PLAIN))


def token_counts(tokenizer: PreTrainedTokenizerFast, texts: Iterable[str]) -> list[Counter[str]]:
    """Return the words of each text, known or not, as the tokenizer cuts them."""
    backend = tokenizer.backend_tokenizer
    normalizer, cutter = backend.normalizer, backend.pre_tokenizer
    found = []
    for text in texts:
        cut = cutter.pre_tokenize_str(normalizer.normalize_str(text))
        found.append(Counter(word for word, _ in cut))
    return found
