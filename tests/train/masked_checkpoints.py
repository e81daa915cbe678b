"""Tiny encoders with a tokenizer that has a mask, and texts whose words follow from each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

__all__ = ["LETTERS", "encoder", "patterns"]

LETTERS = "abcdefgh"
_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def patterns(count: int) -> list[str]:
    """Return texts that each repeat one of eight letters: a masked one can be read off."""
    draw = np.random.default_rng(0)
    return [" ".join([LETTERS[number % 8]] * int(draw.integers(4, 10))) for number in range(count)]


def encoder(folder: Path, kind: str = "bert", words: tuple[str, ...] = ()) -> Path:
    """Save a random encoder without a head: of BERT with its pooler."""
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = [*_SPECIAL, *LETTERS, *words]
    made = Tokenizer(models.WordLevel({word: i for i, word in enumerate(vocabulary)}, "[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    names = dict(zip(("pad", "unk", "cls", "sep", "mask"), _SPECIAL, strict=True))
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=made,
        model_max_length=16,
        **{f"{name}_token": word for name, word in names.items()},
    )
    sizes: dict[str, Any] = {"vocab_size": len(vocabulary), "max_position_embeddings": 20}
    if kind == "distilbert":
        sizes |= {"dim": 32, "n_layers": 1, "n_heads": 2, "hidden_dim": 32}
    else:
        sizes |= {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
        sizes |= {"intermediate_size": 32}
    classes = {"bert": "Bert", "distilbert": "DistilBert", "roberta": "Roberta"}
    config = getattr(transformers, f"{classes[kind]}Config")(**sizes, pad_token_id=0)
    torch.manual_seed(0)
    getattr(transformers, f"{classes[kind]}Model")(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
