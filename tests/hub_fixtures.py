"""Fixtures of the tests that publish: a running Hub, a client turned to it, a model, a report."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hf_transfer_plugin.errors import HubError
from hf_transfer_plugin.records import Report
from tests.hub_models import make_report, save_text_model
from tests.hub_server import HubServer

__all__ = ["REPO", "drawn_reports", "refused", "tree_hash"]

REPO = "tester/tiny-bert"


@pytest.fixture(scope="session")
def running_hub() -> Iterator[HubServer]:
    """Yield a Hub on 127.0.0.1 that keeps its port."""
    with HubServer() as server:
        yield server


@pytest.fixture
def hub_server(running_hub: HubServer) -> HubServer:
    """Return the Hub, empty."""
    running_hub.reset()
    return running_hub


@pytest.fixture(scope="module")
def hub_model(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[list[float]]]:
    """A BERT in several weight files, and its logits."""
    folder = tmp_path_factory.mktemp("text")
    return folder, save_text_model(folder, max_shard_size="30KB")


@pytest.fixture
def hub_model_dir(hub_model: tuple[Path, Any]) -> Iterator[Path]:
    """The BERT's folder; whatever a test does, it must be as it was."""
    folder, _ = hub_model
    before = tree_hash(folder)
    yield folder
    assert tree_hash(folder) == before


@pytest.fixture(scope="module")
def hub_report() -> Report:
    """A small whole report."""
    return make_report()


@pytest.fixture
def hub_sleeps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that were asked for; nobody really waits."""
    asked: list[float] = []
    monkeypatch.setattr("time.sleep", asked.append)
    return asked


drawn_reports: dict[tuple[str, str, str], dict[str, bytes]] = {}


@pytest.fixture
def hub(hub_server: HubServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> HubServer:
    """The server, to which this process' client is turned; equal reports are drawn once."""
    from huggingface_hub import constants

    import hf_transfer_plugin.report as package

    draw = package.report_files

    def remember(record: Report, *, model_url: str, **options: bool) -> dict[str, bytes]:
        key = (record.title, record.task, model_url, *options.values())
        if key not in drawn_reports:
            drawn_reports[key] = draw(record, model_url=model_url, **options)
        return drawn_reports[key]

    monkeypatch.setitem(vars(package), "report_files", remember)

    for name, value in {
        "ENDPOINT": hub_server.endpoint,
        "HF_HUB_DISABLE_XET": True,
        "HF_HUB_OFFLINE": False,
        "HF_TOKEN_PATH": str(tmp_path / "no-token"),
    }.items():
        monkeypatch.setattr(constants, name, value)
    monkeypatch.setenv("HF_TOKEN", hub_server.token)
    monkeypatch.delenv("HUGGING_FACE_HUB_TOKEN", raising=False)
    return hub_server


def tree_hash(folder: Path) -> str:
    """Return a hash over names, contents, modes and times of a folder."""
    digest = hashlib.sha256()
    for path in [folder, *sorted(folder.rglob("*"))]:
        stat = path.stat()
        digest.update(f"{path} {stat.st_mode} {stat.st_mtime_ns}".encode())
        digest.update(path.read_bytes() if path.is_file() else b"")
    return digest.hexdigest()


def refused(action: Callable[[], object], secret: str) -> HubError:
    """Return the error of an action, after a look for the token all along its chain."""
    with pytest.raises(HubError) as caught:
        action()
    error = caught.value
    assert error.__cause__ is None and error.__context__ is None
    assert secret not in f"{error} {error!r}"
    assert "X-Amz-Signature" not in str(error)
    assert error.expected and error.action
    return error
