"""Measurements against values computed by hand."""

from __future__ import annotations

import math

import pytest
import torch

from hf_transfer_plugin.adapt.measures import (
    best_matrices,
    relative_gradients,
    settled_layers,
    signal_to_noise,
)


def test_relative_gradients_are_divided_by_the_largest() -> None:
    found = relative_gradients({"a": 2.0, "b": 1.0, "c": 0.0}, {"a": 4.0, "b": 1.0, "c": 1.0})
    assert found == {"a": 0.5, "b": 1.0, "c": 0.0}


@pytest.mark.parametrize("gradient", [0.0, math.nan, math.inf])
def test_without_a_finite_gradient_all_rates_stay(gradient: float) -> None:
    assert relative_gradients({"a": gradient}, {"a": 1.0}) == {"a": 1.0}


ORDER = ("embeddings", "layer.0", "layer.1", "head")
# changes of the norms -> layer groups that freeze at the 50th percentile
SETTLED: dict[str, tuple[tuple[float, ...], tuple[str, ...]]] = {
    "from the input": ((0.0, 0.1, 0.5, 0.6), ("embeddings", "layer.0")),
    "not beyond a gap": ((0.1, 0.6, 0.0, 0.5), ("embeddings",)),
    "not from the middle": ((0.9, 0.0, 0.0, 0.9), ()),
    "never the head": ((0.1, 0.1, 0.1, 0.1), ("embeddings", "layer.0", "layer.1")),
    "not a number": ((math.nan, 0.1, 0.1, 0.1), ()),
}


@pytest.mark.parametrize("case", SETTLED)
def test_settled_layers(case: str) -> None:
    changes, frozen = SETTLED[case]
    previous = dict.fromkeys(ORDER, 2.0)
    current = {name: 2.0 * (1 - change) for name, change in zip(ORDER, changes, strict=True)}
    assert settled_layers(previous, current, ORDER, 50.0) == frozen


def test_the_last_layer_group_alone_does_not_freeze() -> None:
    assert settled_layers({"head": 1.0}, {"head": 1.0}, ["head"], 50.0) == ()


def diagonal(*values: float) -> torch.Tensor:
    return torch.diag(torch.tensor(values))


def test_signal_to_noise_by_hand() -> None:
    # Quartiles 1 and 1.5 of (1, 1, 1, 1, 1.5, 1.5, 10): bound (0.5 / 1.349) * 2 = 0.741 < all.
    assert signal_to_noise(diagonal(1, 1, 1, 1, 1.5, 1.5, 10)) == math.inf
    # Quartiles 1 and 7 of (0, 1, 1, 4, 7, 7, 9): bound (6 / 1.349) * 2 = 8.895; 9 / 20 / 9.
    assert signal_to_noise(diagonal(0, 1, 1, 4, 7, 7, 9)) == pytest.approx(1 / 20, rel=1e-6)
    assert signal_to_noise(torch.zeros(3, 3)) == 0.0


def test_signal_stands_out_of_noise() -> None:
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(64, 32, generator=generator)
    ranks = torch.randn(64, 2, generator=generator) @ torch.randn(2, 32, generator=generator)
    assert signal_to_noise(noise + 20 * ranks) * 20 > signal_to_noise(noise)
    kernel = (noise + ranks).reshape(64, 2, 4, 4)
    assert signal_to_noise(kernel) == pytest.approx(signal_to_noise(noise + ranks))


def test_best_matrices_of_each_kind() -> None:
    strong, weak = diagonal(0, 1, 1, 4, 7, 7, 9), diagonal(0, 1, 1, 4, 7, 7, 8)
    weights = {
        "layer.0.query.weight": weak,
        "layer.1.query.weight": strong,
        "layer.2.query.weight": weak,
        "layer.3.query.weight": strong * 2,
        "layer.0.value.weight": strong,
        "layer.1.value.weight": weak,
    }
    assert best_matrices(weights, 0.5) == (
        "layer.1.query.weight",
        "layer.3.query.weight",
        "layer.0.value.weight",
    )
    assert len(best_matrices(weights, 0.01)) == 2 and len(best_matrices(weights, 1.0)) == 6
