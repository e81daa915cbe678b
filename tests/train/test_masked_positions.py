"""Predicting masked words alone: the loss and the gradients are those of predicting all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForMaskedLM, BartConfig

from hf_transfer_plugin.train.masked_positions import predicting_masked_alone
from tests.train.masked_checkpoints import encoder


def _learn(model: Any, batch: dict[str, torch.Tensor]) -> tuple[Any, dict[str, torch.Tensor]]:
    model.zero_grad()
    outputs = model(**batch)
    outputs.loss.backward()
    return outputs, {
        name: p.grad.clone() for name, p in model.named_parameters() if p.requires_grad
    }


@pytest.mark.parametrize("kind", ["bert", "distilbert", "roberta"])
@pytest.mark.parametrize("divisor", [{}, {"num_items_in_batch": torch.tensor(9)}])
def test_loss_and_gradients_are_those_of_all_positions(
    kind: str, divisor: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    model = AutoModelForMaskedLM.from_pretrained(encoder(tmp_path / "start", kind)).eval()
    words = model.config.vocab_size
    draw = torch.Generator().manual_seed(0)
    read = torch.randint(5, words, (4, 7), generator=draw)
    labels = torch.full_like(read, -100)
    labels[0, 2], labels[2, 1], labels[2, 6] = 5, 6, 7
    batch = {
        "input_ids": read,
        "attention_mask": torch.ones_like(read),
        "labels": labels,
        **divisor,
    }
    whole, gradients = _learn(model, batch)
    with predicting_masked_alone(model):
        few, same = _learn(model, batch)
        unlabelled = model(input_ids=read)
    assert whole.logits.shape == unlabelled.logits.shape == (4, 7, words)
    assert few.logits.shape == (1, 3, words)
    torch.testing.assert_close(few.logits[0], whole.logits[labels != -100])
    torch.testing.assert_close(few.loss, whole.loss)
    assert gradients.keys() == same.keys() and any(value.any() for value in same.values())
    for name, value in gradients.items():
        torch.testing.assert_close(same[name], value, msg=lambda text, name=name: f"{name}: {text}")
    assert model(input_ids=read, labels=labels).logits.shape == (4, 7, words)


def test_a_model_with_a_decoder_predicts_all() -> None:
    sizes = {
        f"{part}_{what}": 1 for part in ("encoder", "decoder") for what in ("layers", "ffn_dim")
    }
    heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2}
    model = AutoModelForMaskedLM.from_config(BartConfig(vocab_size=40, d_model=8, **sizes, **heads))
    with predicting_masked_alone(model):
        outputs = model(input_ids=torch.tensor([[5, 6]]), labels=torch.tensor([[-100, 7]]))
    assert outputs.logits.shape == (1, 2, 40) and outputs.loss.isfinite()
