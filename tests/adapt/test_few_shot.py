"""Draws, heads, batches and the loss of few labels, against scikit-learn and by hand."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics.pairwise import cosine_similarity

from hf_transfer_plugin.adapt.few_shot.contrastive import balanced_batches, pair_loss
from hf_transfer_plugin.adapt.few_shot.draws import draw_rows
from hf_transfer_plugin.adapt.few_shot.heads import LinearHead, probe, prototypes, unit_rows
from hf_transfer_plugin.adapt.zero_shot import even_prior, label_head, label_texts
from hf_transfer_plugin.errors import ConfigError, DataError

NAMES = ("a", "b", "c")


def _blobs(classes: int, rows: int, spread: float) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0)
    labels = np.repeat(np.arange(classes), rows)
    centres = draw.normal(size=(classes, 8)) * 3
    return (centres[labels] + spread * draw.normal(size=(len(labels), 8))).astype(
        np.float32
    ), labels


def test_draws_are_stratified_nested_and_differ() -> None:
    labels = np.random.default_rng(1).integers(0, 3, 90).tolist()
    few, many = (draw_rows(labels, shots, 4, NAMES) for shots in (2, 8))
    assert set(few) < set(many) and many == sorted(many)
    assert Counter(labels[row] for row in many) == {0: 8, 1: 8, 2: 8}
    assert draw_rows(labels, 8, 4, NAMES) == many != draw_rows(labels, 8, 5, NAMES)


def test_a_class_with_too_few_rows_is_named() -> None:
    with pytest.raises(DataError) as caught:
        draw_rows([0, 0, 1, 2, 2], 2, 0, NAMES)
    assert str(caught.value).splitlines() == [
        "1 training examples of the class 'b' for 2 shots",
        "  expected: at least 2 of each class",
        "  to do: label more, or leave that number out of shots",
    ]


def test_prototypes_name_the_class_mean_of_highest_cosine() -> None:
    features, labels = _blobs(4, 3, 1.0)
    others, _ = _blobs(4, 20, 4.0)
    rows = unit_rows(features)
    means = np.stack([rows[labels == index].mean(0) for index in range(4)])
    head = prototypes(features, labels)
    assert (head.predict(others) == cosine_similarity(others, means).argmax(1)).all()
    # Neither the length of a row nor the scale of all features matters.
    assert (head.predict(others * 7) == prototypes(features * 3, labels).predict(others)).all()


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("scale", [0.01, 100.0])
def test_the_probe_is_a_logistic_regression(classes: int, scale: float) -> None:
    features, labels = _blobs(classes, 1, 1.0)
    others, _ = _blobs(classes, 20, 4.0)
    head = probe(features * scale, labels)
    length = np.linalg.norm(features, axis=1).mean()
    same = LogisticRegression(C=1.0, max_iter=1000).fit(features / length, labels)
    found = torch.from_numpy(head.scores((others * scale).astype(np.float32))).softmax(1).numpy()
    assert np.allclose(found, same.predict_proba(others / length), atol=1e-3)


def test_the_penalty_follows_from_held_out_rows() -> None:
    """Clear classes are worth trusting, noise is not: the weights of noise stay small."""
    clear, labels = _blobs(3, 8, 0.1)
    noise = np.random.default_rng(2).normal(size=clear.shape).astype(np.float32)
    sizes = [np.abs(probe(unit_rows(rows), labels).weight).max() for rows in (clear, noise)]
    assert sizes[0] > 3 * sizes[1]


@pytest.mark.parametrize(("classes", "rows"), [(2, 4), (3, 2), (8, 4)])
def test_batches_are_balanced_and_deal_every_row(classes: int, rows: int) -> None:
    labels = [0] * 4 + [1] * 6 + [2] * 1
    batches = balanced_batches(labels, steps=12, classes=classes, rows=rows, seed=3)
    assert len(batches) == 12
    for batch in batches:
        found = Counter(labels[row] for row in batch)
        assert set(found.values()) == {rows} and len(found) == min(classes, 3)
        for name, size in ((0, 4), (1, 6)):
            of_class = [row for row in batch if labels[row] == name]
            assert len(set(of_class)) == min(len(of_class), size)
    assert {row for batch in batches for row in batch} == set(range(11))


def test_the_loss_by_hand() -> None:
    vectors = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
    labels = torch.tensor([0, 0, 1])
    # within: cosine .6; across: cosines 0 and .8
    assert pair_loss(vectors, labels).item() == pytest.approx((0.16 + 0.32) / 2)
    ideal = torch.eye(2)[[0, 0, 1]]
    assert pair_loss(ideal, labels).item() == 0.0
    # One row of each class: nothing to pull together, only apart.
    assert pair_loss(vectors[1:], torch.tensor([0, 1])).item() == pytest.approx(0.64)


def test_label_texts_fill_templates() -> None:
    texts = label_texts(("joy", "not_sad"), {"joy": "$1 {x}"}, ("I feel {}.", "{}"))
    assert texts == (("I feel $1 {x}.", "$1 {x}"), ("I feel not sad.", "not sad"))
    with pytest.raises(ConfigError, match=r"labels: 'jo' is no class; did you mean 'joy'\?"):
        label_texts(("joy",), {"jo": "x"}, ("{}",))


def test_templates_are_averaged_as_directions() -> None:
    vectors = {"a": [2.0, 0.0], "A": [0.0, 1.0], "b": [-3.0, 0.0], "B": [-1.0, 0.0]}

    def vectors_of(texts: list[str]) -> np.ndarray:
        return np.array([vectors[text] for text in texts], np.float32)

    head = label_head((("a", "A"), ("b", "B")), vectors_of)
    assert np.allclose(head.weight, [[0.5**0.5, 0.5**0.5], [-1.0, 0.0]])


def test_an_even_prior_frees_the_other_classes() -> None:
    head = LinearHead(np.eye(2, dtype=np.float32), np.array([5.0, 0.0], np.float32))
    rows = np.array([[0.0, 1.0], [1.0, 0.0]], np.float32)
    scores = head.scores(rows)
    assert scores.argmax(1).tolist() == [0, 0]
    assert even_prior(scores, scores).argmax(1).tolist() == [1, 0]
