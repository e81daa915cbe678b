"""Two processes raise the same alarms, and act on them together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.callbacks.launching import launch
from tests.callbacks.tiny import changed
from tests.callbacks.watched_two_process_script import PROCESSES, ROWS

SCRIPT = Path(__file__).with_name("watched_two_process_script.py")


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("watched")
    files = [folder / f"{rank}.pt" for rank in range(PROCESSES)]
    return launch(files, SCRIPT, str(folder))[0]


def test_alarms_weights_and_shares_agree(both: list[dict[str, Any]]) -> None:
    first, second = both
    for action, last in (("rollback", 4), ("refreeze", 8), ("rescue", 4)):
        assert first[action]["alarms"] == second[action]["alarms"] == [(4, "below_bar")]
        assert first[action]["step"] == second[action]["step"] == last
        assert not changed(first[action]["final"], second[action]["final"])
        # Half of the rows lie with each process, and the classes are even over both.
        assert first[action]["shares"] == second[action]["shares"] == [0.5] * last


def test_rollback_and_refreeze(both: list[dict[str, Any]]) -> None:
    for results in both:
        frozen = results["refreeze"]
        for action in ("rollback", "rescue"):
            rolled = results[action]
            assert not changed(rolled["after"][2], rolled["final"])
            assert rolled["handed_over"] == (action == "rescue")
        moved = changed(frozen["after"][2], frozen["after"][8])
        assert moved and all("classifier" in name for name in moved)


def test_resume(both: list[dict[str, Any]]) -> None:
    for results in both:
        assert results["resumed"]["alarms"] == [(4, "below_bar")]
        assert not changed(results["resumed"]["final"], results["refreeze"]["final"])


def test_a_collapse_stops_both(both: list[dict[str, Any]]) -> None:
    first, second = both
    assert first["collapse"] == second["collapse"] and first["collapse"]["step"] == 6
    (alarm,) = first["collapse"]["alarms"]
    assert alarm["kind"] == "collapse" and f"all of {ROWS} rows" in alarm["message"]
