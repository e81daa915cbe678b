"""How each candidate does against each baseline: a forecast of help or harm, with its noise."""

from __future__ import annotations

from collections.abc import Sequence

from hf_transfer_plugin.records import Candidate, Forecast
from hf_transfer_plugin.select.kept_scores import Scored
from hf_transfer_plugin.select.resampling import paired_differences

__all__ = ["forecast_pairs", "own_forecasts"]


def forecast_pairs(
    networks: Sequence[Scored], others: Sequence[Scored], score: str, confidence: float
) -> list[list[Forecast]]:
    """Compare every candidate with every baseline on the same half samples.

    Each network takes part twice, with all layers and with its best one, which is held against a
    baseline without a network (`Candidate.against`). No more features are computed.

    Args:
        networks: candidates.
        others: baselines.
        score: the one that orders.
        confidence: that all intervals hold at once.

    Returns:
        [candidates][baselines].
    """
    count, baselines = len(networks), range(2 * len(networks), 2 * len(networks) + len(others))
    plain = [number for number, row in enumerate(others) if row.candidate.kind == "baseline"]
    reference = others[plain[0]].candidate
    full = [
        *(row.candidate.scores[score] for row in networks),
        *(row.candidate.against(reference, score) for row in networks),
        *(row.candidate.scores[score] for row in others),
    ]
    draws = [
        *(row.draws for row in networks),
        *(row.best_draws for row in networks),
        *(row.draws for row in others),
    ]
    gap, margin = paired_differences(draws, full, range(2 * count), baselines, confidence)

    def forecast(network: int, other: int) -> Forecast:
        place = network + (count if other in plain else 0)
        ahead, noise = float(gap[place, other]), float(margin[place, other])
        baseline = others[other].candidate
        lower, upper = ahead - noise, ahead + noise
        return Forecast(
            networks[network].candidate.checkpoint,
            "random" if baseline.kind == "random" else baseline.checkpoint,
            score,
            ahead,
            lower,
            upper,
            "help" if lower > 0 else "harm" if upper < 0 else "none",
        )

    return [[forecast(row, other) for other in range(len(others))] for row in range(count)]


def own_forecasts(
    pairs: Sequence[Sequence[Forecast]], others: Sequence[Candidate], order: Sequence[int]
) -> tuple[Forecast, ...]:
    """Return of each candidate its twin with random weights and the baselines without a network.

    Args:
        pairs: [candidates][baselines], as from `forecast_pairs`.
        others: the baselines.
        order: numbers of the candidates, best first.
    """
    return tuple(
        pairs[row][number]
        for row in order
        for number, other in enumerate(others)
        if other.kind == "baseline" or other.checkpoint == pairs[row][number].checkpoint
    )
