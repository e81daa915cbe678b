"""An encoder tuned on few labels: what moves, what stays, and when it ends."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from hf_transfer_plugin.adapt.few_shot.contrastive import pair_loss
from hf_transfer_plugin.adapt.few_shot.encoders import Encoder, ImageEncoder, TextEncoder, embed
from hf_transfer_plugin.errors import CheckpointError
from hf_transfer_plugin.few_shot_records import Contrastive
from hf_transfer_plugin.train.contrastive import tune_encoder
from tests.callbacks.tiny import bert, resnet, tensors, vit

LABELS = [0, 0, 0, 1, 1, 1]


def _texts() -> list[dict[str, Any]]:
    draw = torch.Generator().manual_seed(0)
    rows = []
    for label in LABELS:
        length = int(torch.randint(3, 7, (1,), generator=draw))
        ids = torch.randint(5, 39, (length,), generator=draw).tolist()
        rows.append({"input_ids": ids, "labels": label})
    return rows


def _collate(rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
    width = max(len(row["input_ids"]) for row in rows)
    ids = [row["input_ids"] + [0] * (width - len(row["input_ids"])) for row in rows]
    found = torch.tensor(ids)
    labels = torch.tensor([row["labels"] for row in rows])
    return {"input_ids": found, "attention_mask": (found > 0).long(), "labels": labels}


def _pixels() -> list[dict[str, Any]]:
    draw = torch.Generator().manual_seed(0)
    return [
        {"pixel_values": torch.randn(3, 32, 32, generator=draw), "labels": label}
        for label in LABELS
    ]


def _stack(rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
    return {
        "pixel_values": torch.stack([row["pixel_values"] for row in rows]),
        "labels": torch.tensor([row["labels"] for row in rows]),
    }


def _loss(encoder: Encoder, rows: list[Any], collate: Any) -> float:
    vectors = nn.functional.normalize(torch.from_numpy(embed(encoder, rows, collate)), dim=1)
    return pair_loss(vectors, torch.tensor(LABELS)).item()


@pytest.mark.parametrize("kind", ["text", "resnet", "vit"])
def test_classes_move_apart(kind: str) -> None:
    """Running statistics of batch norms, the image head and the token table stay as they are."""
    if kind == "text":
        network: Any = bert().bert  # type: ignore[union-attr]
        encoder: Encoder = TextEncoder(network)
        rows, collate = _texts(), _collate
    else:
        network = resnet() if kind == "resnet" else vit()
        encoder, rows, collate = ImageEncoder(network), _pixels(), _stack
    before, first = tensors(encoder), _loss(encoder, rows, collate)
    options = Contrastive(steps=12, learning_rate=1e-2, stop_loss=0.0)
    assert tune_encoder(encoder, rows, LABELS, collate, options, 0) == 12
    assert _loss(encoder, rows, collate) < 0.85 * first
    after = tensors(encoder)
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    held = {name for name in before if "word_embeddings" in name or "classifier" in name}
    held |= {name for name in before if "running" in name or "batches" in name}
    assert held and moved and not moved & held
    assert all(weight.requires_grad for weight in encoder.parameters())


def test_it_repeats_and_ends_when_nothing_is_left_to_learn() -> None:
    ends = []
    for stop in (0.0, 0.0, 9.0):
        encoder = TextEncoder(bert().bert)  # type: ignore[union-attr]
        options = Contrastive(steps=6, stop_loss=stop, train_embeddings=True)
        steps = tune_encoder(encoder, _texts(), LABELS, _collate, options, 0)
        ends.append((steps, tensors(encoder)))
    assert [steps for steps, _ in ends] == [6, 6, 3]
    assert all(torch.equal(value, ends[1][1][name]) for name, value in ends[0][1].items())
    table = "network.embeddings.word_embeddings.weight"
    fresh = TextEncoder(bert().bert).state_dict()  # type: ignore[union-attr]
    assert not torch.equal(ends[0][1][table], fresh[table])


def test_the_vector_of_a_text_knows_no_padding_and_keeps_its_place() -> None:
    encoder, rows = TextEncoder(bert().bert), _texts()  # type: ignore[union-attr]
    together = embed(encoder, rows, _collate)
    alone = [embed(encoder, [row], _collate)[0] for row in rows]
    assert torch.allclose(torch.from_numpy(together), torch.from_numpy(np.stack(alone)), atol=1e-5)


def test_features_of_images_are_what_the_head_reads() -> None:
    for network in (resnet(), vit()):
        encoder, rows = ImageEncoder(network), _pixels()
        features = torch.from_numpy(embed(encoder, rows, _stack))
        with torch.no_grad():
            logits = network.eval()(_stack(rows)["pixel_values"]).logits
            assert torch.allclose(encoder.head(features), logits, atol=1e-5)


def test_a_network_that_ends_otherwise_is_refused() -> None:
    network: Any = resnet()
    network.classifier = nn.Flatten()
    with pytest.raises(CheckpointError, match="ResNetForImageClassification does not end"):
        ImageEncoder(network)
