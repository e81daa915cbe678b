"""The first token alone: answers and gradients are those of the whole block, or nothing changes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from transformers import (
    AutoModelForImageClassification,
    AutoModelForSequenceClassification,
    BertConfig,
    DistilBertConfig,
    ElectraConfig,
    IJepaConfig,
    PreTrainedConfig,
    RobertaConfig,
    ViTConfig,
)

from hf_transfer_plugin.callbacks.first_token_hooks import computing_first_token_alone
from hf_transfer_plugin.objective_kinds import Reads

_TOKENS = 9
_SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "initializer_range": 0.5,
}
_TEXT = {"vocab_size": 40, "max_position_embeddings": 32, "pad_token_id": 0, **_SIZES}
_IMAGE = {"image_size": 16, "patch_size": 8, "num_channels": 3, **_SIZES}
_DISTILBERT = {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32, "initializer_range": 0.5}
# Configuration, and what reads the width of all tokens in the last block if nothing is left out.
_KINDS: dict[str, tuple[PreTrainedConfig, str]] = {
    "bert": (BertConfig(**_TEXT), "bert.encoder.layer.1.intermediate"),
    "roberta": (RobertaConfig(**_TEXT), "roberta.encoder.layer.1.intermediate"),
    "electra": (ElectraConfig(**_TEXT), "electra.encoder.layer.1.intermediate"),
    "distilbert": (
        DistilBertConfig(vocab_size=40, pad_token_id=0, **_DISTILBERT),
        "distilbert.transformer.layer.1.ffn.lin1",
    ),
    "vit": (ViTConfig(**_IMAGE), "vit.layers.1.mlp"),
    "mean over tokens": (IJepaConfig(**_IMAGE), "ijepa.layers.1.mlp"),
}
_READ_ALL = {"mean over tokens"}
# Their head is given all tokens, of which it takes the first.
_GIVEN_ALL = {"roberta", "electra"}


def _made(kind: str, attention: str = "sdpa") -> tuple[Any, dict[str, torch.Tensor]]:
    config = _KINDS[kind][0]
    torch.manual_seed(0)
    draw = torch.Generator().manual_seed(0)
    labels = torch.tensor([0, 1, 1])
    if hasattr(config, "image_size"):
        model = AutoModelForImageClassification.from_config(config, attn_implementation=attention)
        return model.eval(), {"pixel_values": torch.rand(3, 3, 16, 16), "labels": labels}
    model = AutoModelForSequenceClassification.from_config(config, attn_implementation=attention)
    read = torch.randint(5, 40, (3, _TOKENS), generator=draw)
    mask = torch.ones_like(read)
    mask[1, 4:] = 0
    return model.eval(), {"input_ids": read, "attention_mask": mask, "labels": labels}


def _learn(model: Any, kind: str, batch: dict[str, torch.Tensor]) -> tuple[Any, Any, list[int]]:
    seen: list[int] = []
    part = model.get_submodule(_KINDS[kind][1])
    hook = part.register_forward_pre_hook(lambda _, args: seen.append(args[0].shape[1]))
    model.zero_grad()
    outputs = model(**batch)
    outputs.loss.backward()
    hook.remove()
    return outputs, {n: p.grad for n, p in model.named_parameters() if p.grad is not None}, seen


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize("features", [False, True])
def test_answers_and_gradients_are_those_of_all_tokens(
    kind: str, attention: str, features: bool
) -> None:
    model, batch = _made(kind, attention)
    model.train()  # comes back as it was, whatever is tried
    reads: frozenset[Reads] = frozenset({"features"} if features else ())
    with computing_first_token_alone(model, lambda: batch, reads=reads):
        assert model.training
        model.eval()
        narrow, same, tokens = _learn(model, kind, batch)
    whole, gradients, all_tokens = _learn(model, kind, batch)
    left = kind in _READ_ALL or (features and kind in _GIVEN_ALL)
    assert (tokens == all_tokens) == left and (tokens == [1]) == (not left)
    torch.testing.assert_close(narrow.logits, whole.logits)
    torch.testing.assert_close(narrow.loss, whole.loss)
    assert gradients.keys() == same.keys()
    for name, value in gradients.items():
        torch.testing.assert_close(same[name], value, msg=lambda text, name=name: f"{name}: {text}")


def test_a_block_whose_outputs_may_be_stored_hands_on_all_tokens() -> None:
    model, batch = _made("bert")
    with computing_first_token_alone(model, lambda: batch), torch.inference_mode():
        assert model(**batch, output_hidden_states=True).hidden_states[-1].shape[1] == _TOKENS
    model.bert.encoder.layer[1].requires_grad_(False)
    with computing_first_token_alone(model, lambda: batch):
        assert _learn(model, "bert", batch)[2] == [_TOKENS]
        model.bert.encoder.layer[1].requires_grad_(True)
        assert _learn(model, "bert", batch)[2] == [1]


def test_what_shows_no_difference_proves_nothing() -> None:
    model, batch = _made("bert")
    nn.init.zeros_(model.classifier.weight)
    with computing_first_token_alone(model, lambda: batch):
        assert _learn(model, "bert", batch)[2] == [_TOKENS]
