"""Publishing when the folder, the token, the network or the Hub is no good."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hf_transfer_plugin.hub import publish
from hf_transfer_plugin.records import Report
from tests.hub_fixtures import REPO, refused
from tests.hub_server import HubServer


@pytest.mark.parametrize(
    ("fault", "waits"),
    [
        ({"times": 2, "on": "commit"}, [1.0, 2.0]),
        ({"times": 1, "on": "create", "status": 502}, [1.0]),
        ({"times": 1, "on": "commit", "status": 429, "headers": {"Retry-After": "7"}}, [7.0]),
        ({"times": 1, "on": "yaml", "body": b"<html>busy</html>"}, [1.0]),
        ({"times": 1, "on": "commit", "mode": "drop"}, [1.0]),
        ({"times": 1, "on": "create", "mode": "lose"}, [1.0]),
        # The commit is made and its answer lost: the second try must see that and add nothing.
        ({"times": 1, "on": "commit", "mode": "lose"}, [1.0]),
    ],
    ids=["503 twice", "502", "429", "no JSON", "dropped", "repo, answer lost", "answer lost"],
)
def test_what_passes_is_tried_again(
    hub: HubServer,
    hub_model_dir: Path,
    hub_report: Report,
    hub_sleeps: list[float],
    fault: dict[str, Any],
    waits: list[float],
) -> None:
    hub.fail_next(fault.pop("times"), **fault)
    publish(hub_report, hub_model_dir, REPO)
    assert hub_sleeps == waits
    assert len(hub.store.commits(REPO)) == 1
    assert len(hub.store.uploads) == len(set(hub.store.uploads))


def test_a_dropped_upload_leaves_no_commit_and_is_resumed(
    hub: HubServer, hub_model_dir: Path, hub_report: Report, hub_sleeps: list[float]
) -> None:
    hub.fail_next(10_000, on="lfs", mode="drop", skip=2)
    error = refused(lambda: publish(hub_report, hub_model_dir, REPO, attempts=1), hub.token)
    assert "cannot reach" in str(error) and "Error while uploading '" in str(error)
    assert hub.store.commits(REPO) == [] and len(hub.store.uploads) == 2
    hub.clear_faults()
    publish(hub_report, hub_model_dir, REPO)
    assert len(hub.store.commits(REPO)) == 1
    assert len(hub.store.uploads) == len(set(hub.store.uploads)) > 2


def test_what_the_hub_refuses_is_said_once_and_in_full(
    hub: HubServer, hub_model_dir: Path, hub_report: Report, hub_sleeps: list[float]
) -> None:
    wrong = "hf_wrongTOKENwrongTOKEN"
    error = refused(lambda: publish(hub_report, hub_model_dir, REPO, token=wrong), wrong)
    assert "answered 401" in str(error) and "hf auth login" in str(error)
    error = refused(lambda: publish(hub_report, hub_model_dir, "other/tiny"), hub.token)
    assert "answered 403" in str(error) and "may write to other/tiny" in str(error)
    hub.store.add_repo("other/theirs")
    error = refused(lambda: publish(hub_report, hub_model_dir, "other/theirs"), hub.token)
    assert "answered 403" in str(error)
    # A server that repeats what it was sent, token of any shape included.
    odd = hub.token = "s3cret-of-another-shape"
    hub.fail_next(1, on="commit", status=400, body=json.dumps({"error": f"no {odd}"}).encode())
    error = refused(lambda: publish(hub_report, hub_model_dir, REPO, token=odd), odd)
    assert "answered 400" in str(error) and "no ***" in str(error)
    hub.store.blobs.clear()
    for on, status in (("batch", 400), ("lfs", 422)):
        hub.fail_next(10, on=on, status=status)
        error = refused(lambda: publish(hub_report, hub_model_dir, REPO, token=odd), odd)
        assert f"answered {status}" in str(error)
        hub.clear_faults()
    assert f"{hub.endpoint}/lfs/" in str(error)
    assert hub_sleeps == [] and all(hub.store.commits(name) == [] for name in hub.store.repos)


def test_a_server_or_network_that_stays_away_ends_in_an_error(
    hub: HubServer,
    hub_model_dir: Path,
    hub_report: Report,
    hub_sleeps: list[float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hub.fail_next(3, on="commit")
    error = refused(lambda: publish(hub_report, hub_model_dir, REPO), hub.token)
    assert "answered 503" in str(error) and "within 3 attempts" in str(error)
    assert hub_sleeps == [1.0, 2.0] and hub.store.commits(REPO) == []
    with HubServer() as gone:
        closed = gone.endpoint
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", closed)
    error = refused(lambda: publish(hub_report, hub_model_dir, REPO, attempts=2), hub.token)
    assert f"cannot reach {closed} (2 attempts)" in str(error)
    assert hub_sleeps == [1.0, 2.0, 1.0]
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    error = refused(lambda: publish(hub_report, hub_model_dir, REPO), hub.token)
    assert "HF_HUB_OFFLINE is set" in str(error) and "unset HF_HUB_OFFLINE" in str(error)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: (d / "config.json").unlink(), "not there: config.json"),
        (lambda d: (d / "config.json").write_text("[1]"), "config.json is no JSON object"),
        (lambda d: (d / "config.json").write_text("{"), "cannot be read (JSONDecodeError"),
        (lambda d: [p.unlink() for p in d.glob("*.safetensors")], "no *.safetensors in it"),
        (lambda d: min(d.glob("*.safetensors")).unlink(), "not there: model-00001-of-"),
        (lambda d: os.truncate(min(d.glob("*.safetensors")), 900), "is cut off or damaged"),
        (lambda d: (d / "training_args.bin").touch(), "pickles, which run code"),
        (lambda d: [(d / "c").mkdir(), (d / "c/optimizer.PT").touch()], "c/optimizer.PT"),
        (lambda d: [p.unlink() for p in d.iterdir()] and d.rmdir(), "no such folder"),
    ],
)
def test_a_bad_folder_is_found_before_the_first_request(
    hub: HubServer,
    hub_model_dir: Path,
    hub_report: Report,
    tmp_path: Path,
    change: Callable[[Path], object],
    said: str,
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    for path in hub_model_dir.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    change(folder)
    error = refused(lambda: publish(hub_report, folder, REPO), hub.token)
    assert said in str(error) and "save_pretrained" in error.action
    assert hub.requests == []


def test_bad_names_and_tokens_are_found_before_the_first_request(
    hub: HubServer, hub_model_dir: Path, hub_report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a/b/c", "a--b", "", "tester/a b", "x" * 97, None, Path("a/b")):
        error = refused(lambda name=name: publish(hub_report, hub_model_dir, name), hub.token)  # type: ignore[misc]
        assert repr(name) in str(error) and '"namespace/name"' in error.expected
    for token in ("hf_with blankTOKEN", "hf_naïveTOKENTOKEN", "hf_lineTOKENTOKEN\nX-Evil: 1"):
        error = refused(
            lambda token=token: publish(hub_report, hub_model_dir, REPO, token=token),  # type: ignore[misc]
            token,
        )
        assert "unusual characters" in str(error)
    assert "attempts=0" in str(
        refused(lambda: publish(hub_report, hub_model_dir, REPO, attempts=0), "-")
    )
    monkeypatch.delenv("HF_TOKEN")
    error = refused(lambda: publish(hub_report, hub_model_dir, REPO), hub.token)
    assert "no Hub token" in str(error) and "hf auth login" in error.action
    assert hub.requests == []


def test_the_hub_of_these_tests_reads_the_card(hub: HubServer) -> None:
    from huggingface_hub import CommitOperationAdd, HfApi

    HfApi().create_repo(REPO)
    for card in (b"---\ntags: [\n---\n", b"no metadata"):
        with pytest.raises(ValueError, match="Invalid metadata in README.md"):
            HfApi().create_commit(REPO, [CommitOperationAdd("README.md", card)], commit_message="x")
    assert hub.store.commits(REPO) == []
