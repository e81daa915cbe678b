"""The forecast in words: help, harm, or none, from frozen features."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from hf_transfer_plugin.records import Candidate, Forecast, Ranking
from hf_transfer_plugin.report.names import display_name, one_line
from hf_transfer_plugin.report.words import number

__all__ = ["forecast_cell", "forecast_line", "forecast_sentence"]

_EXPECTED: Mapping[str, str] = MappingProxyType(
    {"help": "expected to help", "harm": "expected to harm", "none": "no forecast"}
)


def forecast_line(ranking: Ranking, checkpoint: str) -> str:
    """Return the forecasts of a candidate in one line; empty where there is none."""
    own = [each for each in ranking.forecasts if each.checkpoint == checkpoint]
    twin = _twin(ranking, checkpoint)
    if twin is None:
        return ""
    parts = ", ".join(
        f"{_signed(each)} against {_against(each)}"
        + (f" ({_EXPECTED[each.expected]})" if each.expected != twin.expected else "")
        for each in own
    )
    return f"{display_name(checkpoint)}: {_EXPECTED[twin.expected]} by {_score(twin)}, {parts}"


def forecast_sentence(ranking: Ranking, checkpoint: str) -> str:
    """Return the forecast for a transfer as sentences; empty where there is none."""
    line = forecast_line(ranking, checkpoint)
    if not line:
        return ""
    level = f"{100 * ranking.confidence:g}% intervals"
    return f"Forecast before training: {line} ({level}; about frozen features, no verdict)."


def forecast_cell(ranking: Ranking, row: Candidate) -> str:
    """Return the forecast of a row of the ranking's table."""
    twin = _twin(ranking, row.checkpoint) if row.kind == "pretrained" else None
    return f"{_EXPECTED[twin.expected]}, {_signed(twin)}" if twin else "–"


def _twin(ranking: Ranking, checkpoint: str) -> Forecast | None:
    """Return the forecast of a candidate against its twin with random weights, if there is one."""
    own = (each for each in ranking.forecasts if each.checkpoint == checkpoint)
    return next((each for each in own if each.baseline == "random"), None)


def _score(forecast: Forecast) -> str:
    return one_line(forecast.score.replace("_", " "))


def _against(forecast: Forecast) -> str:
    return "random weights" if forecast.baseline == "random" else display_name(forecast.baseline)


def _signed(forecast: Forecast) -> str:
    sign = "+" if forecast.difference > 0 else ""
    ends = f"[{number(forecast.lower)}, {number(forecast.upper)}]"
    return f"{sign}{number(forecast.difference)} {ends}"
