"""Each part finds what is wrong, says what to do, and tells nobody the token."""

from __future__ import annotations

from pathlib import Path

import pytest
from packaging.requirements import Requirement

from hf_transfer_plugin.cli import app
from hf_transfer_plugin.doctor import Finding, diagnose
from hf_transfer_plugin.doctor import hub_access as hub
from hf_transfer_plugin.doctor.machine import disk
from hf_transfer_plugin.doctor.packages import required
from hf_transfer_plugin.doctor.upstream import QUIRKS
from tests.cli.conftest import Command, command
from tests.hub_server import HubServer

__all__ = ["command"]


def test_this_machine_is_ready() -> None:
    parts = diagnose(hub=False)
    assert list(parts) == ["packages", "machine", "known upstream"]
    found = {each.subject: each for findings in parts.values() for each in findings}
    assert found["torch"].level == "ok" and "extra [demo]" in found and "memory" in found
    assert not [each for each in found.values() if each.level == "error"]
    for each in found.values():
        assert each.level == "ok" or each.action, each


@pytest.mark.parametrize(
    ("version", "level", "says"),
    [("2.6.1", "ok", "2.6.1"), ("2.5", "error", "2.5; >=2.6"), (None, "error", "missing; >=2.6")],
)
def test_what_is_required(version: str | None, level: str, says: str) -> None:
    found = required(Requirement("torch>=2.6"), version)
    assert found.level == level and says in found.found
    assert bool(found.action) == (level == "error")


def test_a_folder_that_is_not_there_has_the_disk_of_the_one_above(tmp_path: Path) -> None:
    found = disk("disk", tmp_path / "not" / "there")
    assert str(tmp_path) in found.found and found.level in ("ok", "warning")


def test_a_folder_of_others_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    found = disk("disk", tmp_path)
    assert found.level == "error" and "not writable" in found.found and "HF_HOME" in found.action


@pytest.mark.parametrize("version", ["0.0.1", None])
def test_known_faults_are_of_versions(version: str | None) -> None:
    assert QUIRKS and not any(quirk.concerns(version) for quirk in QUIRKS)


def _hub(patch: pytest.MonkeyPatch, endpoint: str, token: str | None) -> dict[str, Finding]:
    patch.setattr("huggingface_hub.constants.ENDPOINT", endpoint)
    patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    patch.setattr("huggingface_hub.get_token", lambda: token)
    return {each.subject: each for each in hub.hub_findings()}


def test_the_hub_knows_a_token_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    with HubServer() as server:
        found = _hub(monkeypatch, server.endpoint, server.token)
        assert found["Hub"].level == found["token"].level == "ok"
        wrong = _hub(monkeypatch, server.endpoint, "hf_wrongwrongwrong")["token"]
        assert wrong.level == "error" and "hf auth login" in wrong.action
        assert "wrongwrong" not in wrong.found + wrong.action
        none = _hub(monkeypatch, server.endpoint, None)["token"]
        assert none.level == "note" and "public models load" in none.found
    gone = _hub(monkeypatch, "http://127.0.0.1:9", server.token)
    assert list(gone) == ["Hub"] and "does not answer" in gone["Hub"].found


def test_an_error_ends_with_2(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    assert any(each.name == "doctor" for each in app.registered_commands)
    code, out, err = command("doctor", "--no-hub")
    assert code == 0 and " 0 error" in out and not err
    monkeypatch.setattr(
        "hf_transfer_plugin.doctor.packages.installed",
        lambda name: "1.0" if name == "torch" else "99",
    )
    code, out, err = command("doctor", "--no-hub")
    assert code == 2 and "torch: 1.0; >=2.6 is needed" in err and 'pip install "torch>=2.6"' in err
