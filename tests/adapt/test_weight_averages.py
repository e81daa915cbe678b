"""Lines and means of weights, and which members a greedy soup keeps."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from hf_transfer_plugin.adapt.weight_averages import (
    between,
    greedy_soup,
    interpolated,
    line,
    mean_weights,
)
from hf_transfer_plugin.errors import CheckpointError

START = {"w": torch.tensor([0.0, 2.0]), "var": torch.tensor([1.0]), "count": torch.tensor(3)}
END = {"w": torch.tensor([1.0, 4.0]), "var": torch.tensor([3.0]), "count": torch.tensor(9)}


@pytest.mark.parametrize(("alpha", "w"), [(0.0, [0.0, 2.0]), (0.25, [0.25, 2.5]), (1.0, [1, 4])])
def test_a_point_on_the_line(alpha: float, w: list[float]) -> None:
    found = interpolated(START, END, alpha)
    assert found["w"].tolist() == w
    assert found["var"].item() == 1 + 2 * alpha, "statistics of BatchNorm are on the line"
    assert found["count"].item() == 9 and found["count"].dtype == torch.int64


def test_the_ends_and_what_never_moved_are_bit_equal() -> None:
    torch.manual_seed(0)
    start, end = ({"w": torch.randn(1000)} for _ in range(2))
    assert torch.equal(interpolated(start, end, 1.0)["w"], end["w"])
    assert torch.equal(interpolated(start, end, 0.0)["w"], start["w"])
    for alpha in between(10):
        assert torch.equal(interpolated(end, end, alpha)["w"], end["w"])


def test_a_walk_along_the_line() -> None:
    assert between(10) == (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9) and between(1) == ()
    walked = dict(line(START, END, (*between(4), 0.0)))
    assert list(walked) == [0.25, 0.5, 0.75, 0.0]
    assert [each["var"].item() for each in walked.values()] == [1.5, 2.0, 2.5, 1.0]


def test_the_mean() -> None:
    third = {"w": torch.tensor([2.0, 0.0]), "var": torch.tensor([2.0]), "count": torch.tensor(1)}
    found = mean_weights([START, END, third])
    assert found["w"].tolist() == [1.0, 2.0] and found["var"].item() == 2.0
    assert found["count"].item() == 3
    assert mean_weights([END])["w"].tolist() == END["w"].tolist()


def test_weights_that_do_not_fit() -> None:
    with pytest.raises(CheckpointError, match="no weights to average"):
        mean_weights([])
    for other in ({**END, "w": torch.zeros(3)}, {**END, "more": torch.zeros(1)}):
        with pytest.raises(CheckpointError, match="weights that differ in (w|more)"):
            interpolated(START, other, 0.5)
        with pytest.raises(CheckpointError, match="average models of one architecture"):
            mean_weights([other, START])


def _planted(
    values: dict[tuple[int, ...], float], *, strict: bool = False
) -> tuple[tuple[int, ...], float, list[object]]:
    asked: list[object] = []

    def together(members: Sequence[int]) -> float:
        asked.append(tuple(members))
        return values[tuple(members)]

    kept, reached = greedy_soup({0: 0.5, 1: 0.9, 2: 0.7}, together, strict=strict)
    return kept, reached, asked


def test_a_member_stays_unless_it_makes_the_soup_worse() -> None:
    kept, reached, asked = _planted({(1, 2): 0.89, (1, 0): 0.9})
    assert (kept, reached, asked) == ((1, 0), 0.9, [(1, 2), (1, 0)])
    kept, reached, asked = _planted({(1, 2): 0.95, (1, 2, 0): 0.94})
    assert (kept, reached, asked) == ((1, 2), 0.95, [(1, 2), (1, 2, 0)])
    assert _planted({(1, 2): 0.1, (1, 0): 0.1})[:2] == ((1,), 0.9)


def test_a_strict_soup_takes_no_member_that_changes_nothing() -> None:
    values = {(1, 2): 0.89, (1, 0): 0.9}
    assert _planted(values, strict=True)[:2] == ((1,), 0.9)
    assert _planted({(1, 2): 0.91, (1, 2, 0): 0.91}, strict=True)[:2] == ((1, 2), 0.91)
