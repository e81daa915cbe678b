"""Objectives under adapters that put virtual tokens before a text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BertForSequenceClassification, RobertaForSequenceClassification

from hf_transfer_plugin import apply_adapter
from hf_transfer_plugin.adapt.objectives import term_of
from hf_transfer_plugin.adapt.objectives.loss_term import Read
from hf_transfer_plugin.callbacks.objective_reading import PassReader
from hf_transfer_plugin.callbacks.objective_source import Source
from tests.callbacks.objective_cases import STRONG, run
from tests.callbacks.tiny import bert_config, tensors

KINDS = ("prefix_tuning", "prompt_tuning")
READS: Any = frozenset({"layers", "features"})
LENGTH, REAL = 6, 4


def _network(kind: Any) -> Any:
    """Return a network whose head reads tokens (RoBERTa) or one vector (BERT)."""
    torch.manual_seed(0)
    config = bert_config().to_dict() | {"max_position_embeddings": 16}
    for rate in ("hidden_dropout_prob", "attention_probs_dropout_prob"):
        config[rate] = 0.0
    return kind(kind.config_class(**config))


def _batch(padding: int) -> dict[str, torch.Tensor]:
    tokens = torch.arange(2, 2 + 4 * LENGTH).reshape(4, LENGTH).clone()
    tokens[:, REAL:] = padding
    mask = (torch.arange(LENGTH) < REAL).long().expand(4, LENGTH).contiguous()
    return {"input_ids": tokens, "attention_mask": mask, "labels": torch.tensor([0, 1, 0, 1])}


def _read(network: Any, batch: dict[str, torch.Tensor]) -> Read:
    reader = PassReader(network, READS)
    with torch.no_grad():
        network.eval()(**batch)
    read = reader.read(batch)
    reader.remove()
    return read


@pytest.mark.parametrize("adapter", KINDS)
@pytest.mark.parametrize("kind", [BertForSequenceClassification, RobertaForSequenceClassification])
def test_the_source_has_no_prompt_and_padding_does_not_count(adapter: str, kind: Any) -> None:
    plain = _read(_network(kind), _batch(1))
    network = apply_adapter(_network(kind), {"name": adapter, "num_virtual_tokens": 3})
    held = Source(network, term_of("delta")).reading(torch.device("cpu"), None)
    with torch.no_grad():
        source = held(_batch(1))
    for ours, theirs in zip(source.layers, plain.layers, strict=True):
        assert torch.equal(ours, theirs), "what the network gives without a prompt"
    assert torch.equal(source.features, plain.features)

    one, other = (_read(network, _batch(padding)) for padding in (1, 3))
    assert [each.shape for each in one.layers] == [each.shape for each in plain.layers]
    assert one.mask is not None and not torch.equal(one.layers[0], other.layers[0])
    for ours, theirs in zip(one.layers, other.layers, strict=True):
        torch.testing.assert_close(ours[:, :REAL], theirs[:, :REAL])
    if kind is RobertaForSequenceClassification:
        torch.testing.assert_close(one.features, other.features)
        assert one.features is not None and not torch.equal(one.features, one.layers[-1].mean(1))


@pytest.mark.parametrize("adapter", KINDS)
def test_a_prompt_trains_under_every_kind_of_reading(adapter: str, tmp_path: Path) -> None:
    found = []
    for name in (None, "delta", "relational"):
        network = _network(BertForSequenceClassification)
        network.accepts_loss_kwargs = False
        network = apply_adapter(network, {"name": adapter, "num_virtual_tokens": 3})
        done = run(network, tmp_path, name and STRONG[name], max_steps=2)
        terms = [e["objective/loss"] for e in done.state.log_history if "objective/loss" in e]
        assert all(terms) and len(terms) == (2 if name else 0)
        found.append(next(v for n, v in tensors(network).items() if "prompt_encoder" in n))
    plain, *others = found
    assert not any(torch.equal(plain, other) for other in others)
