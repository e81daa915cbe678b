"""Publishing, with the real client over HTTP to a Hub in memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hf_transfer_plugin.hub import publish
from hf_transfer_plugin.records import Report
from tests.hub_fixtures import REPO, drawn_reports, refused
from tests.hub_models import SENTENCES, make_report, sample_image, save_image_model
from tests.hub_server import HubServer
from tests.report import samples

GENERATED = {"README.md", "report.html", "report.json"}


def environment(server: HubServer, home: Path, **more: str) -> dict[str, str]:
    """Return the variables of a process whose Hub is the server."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    hub = {"HF_ENDPOINT": server.endpoint, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1"}
    return {**kept, **hub, **more}


def run_python(*arguments: str, env: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], env=env, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_published_models_load_without_this_package(
    hub: HubServer, hub_model: tuple[Path, list[list[float]]], tmp_path: Path
) -> None:
    text_dir, text_logits = hub_model
    image_dir = tmp_path / "image"
    image_logits = save_image_model(image_dir)
    url = publish(make_report(), text_dir, REPO)
    publish(make_report("image-classification"), image_dir, "tester/tiny-resnet")
    assert url == f"{hub.endpoint}/{REPO}"

    picture = sample_image()
    asked = {"text": REPO, "image": "tester/tiny-resnet", "sentences": SENTENCES}
    import numpy as np

    asked["picture"] = np.asarray(picture).tolist()
    script = str(Path(__file__).with_name("hub_consumer.py"))
    env = environment(hub, tmp_path / "home")
    answer = json.loads(run_python("-I", script, json.dumps(asked), env=env))

    assert answer["blocked"] and answer["imported"] == []
    # Another process may share the work among threads differently, in the last digit.
    for kind, logits in (("text", text_logits), ("image", image_logits)):
        for read, saved in zip(answer[kind]["logits"], logits, strict=True):
            assert read == pytest.approx(saved, abs=1e-4)
    assert answer["text"]["labels"] == [["bad", "good"][r[1] > r[0]] for r in text_logits]
    assert answer["image"]["labels"] == [["cat", "dog"][r[1] > r[0]] for r in image_logits]


def test_one_commit_holds_everything_and_the_token_travels_in_the_header(
    hub: HubServer, hub_model_dir: Path, hub_report: Report
) -> None:
    publish(hub_report, hub_model_dir, REPO, commit_message="First words")
    (commit,) = hub.store.commits(REPO)
    local = {path.name: path.read_bytes() for path in hub_model_dir.iterdir()}
    generated = set(commit.files) - set(local) - {".gitattributes"}
    assert commit.summary == "First words"
    assert {name: commit.files[name] for name in local} == local
    assert GENERATED <= generated
    plots = generated - GENERATED
    assert plots and all(n.startswith("plots/") and n.endswith(".png") for n in plots)
    assert Report.from_json(json.loads(commit.files["report.json"])).title == hub_report.title
    for request in hub.requests:
        assert hub.token not in request.target and hub.token.encode() not in request.body
        found = [key for key, value in request.headers.items() if hub.token in value]
        assert found == ([] if request.route == "lfs" else ["authorization"])
    assert hub.token.encode() not in b"".join(commit.files.values())


def test_the_card_on_the_hub_parses_with_its_results(
    hub: HubServer, hub_model_dir: Path, hub_report: Report
) -> None:
    from huggingface_hub import HfApi, ModelCard

    publish(hub_report, hub_model_dir, REPO)
    card = ModelCard(hub.store.files(REPO)["README.md"].decode())
    card.validate()
    accuracy = [r for r in card.data.eval_results or [] if r.metric_type == "accuracy"]
    assert accuracy and accuracy[0].task_type == "text-classification"
    assert accuracy[0].metric_value == pytest.approx(0.9)
    assert f"{hub.endpoint}/{REPO}" in "".join(
        hub.store.files(REPO)[name].decode() for name in GENERATED
    )
    info = HfApi(token=False).model_info(REPO)
    assert info.pipeline_tag == "text-classification" and not info.private


def test_paths_and_tokens_of_the_report_stay_at_home(hub: HubServer, hub_model_dir: Path) -> None:
    secret = "hf_someOtherTOKENsomeOther"
    title = f"From /home/somebody/runs with {secret}"
    command = f"hf-tl publish /home/somebody/runs --token {secret}"
    publish(replace(make_report(title=title), command=command), hub_model_dir, REPO)
    (commit,) = hub.store.commits(REPO)
    for text in [commit.summary.encode(), *commit.files.values()]:
        assert secret.encode() not in text and b"/home/somebody" not in text
    assert commit.summary.startswith("Publish From")


@pytest.mark.parametrize("asked", [False, True])
def test_rows_of_the_data_are_published_only_when_asked(
    asked: bool, hub: HubServer, hub_model_dir: Path
) -> None:
    shown = samples.report()
    row = shown.examples[0].text
    publish(shown, hub_model_dir, REPO, examples=asked)
    files = hub.store.files(REPO)
    assert all((row in files[name].decode()) == asked for name in GENERATED)


def test_publishing_the_same_again_changes_nothing(
    hub: HubServer, hub_model_dir: Path, hub_report: Report
) -> None:
    publish(hub_report, hub_model_dir, REPO)
    before, uploads = hub.store.files(REPO), list(hub.store.uploads)
    drawn_reports.clear()
    publish(hub_report, hub_model_dir, REPO)
    assert len(hub.store.commits(REPO)) == 1
    assert hub.store.files(REPO) == before and hub.store.uploads == uploads


def test_an_existing_repository_keeps_its_own_files_but_no_weights_that_would_be_loaded(
    hub: HubServer, hub_model_dir: Path, hub_report: Report
) -> None:
    old = {"model.safetensors": b"old", "adapter_config.json": b"{}"}
    own = {"notes.md": b"mine", "old/model.safetensors": b"kept", "plots/mine.png": b"kept"}
    hub.store.add_repo(REPO, **old, **own, **{"README.md": b"old card"})
    publish(hub_report, hub_model_dir, REPO)
    files = hub.store.files(REPO)
    assert not set(old) & set(files)
    assert own.items() <= files.items()
    assert b"model-index" in files["README.md"]
    assert len(hub.store.commits(REPO)) == 1
    # Only where the plots are those of an earlier report does the new one replace them.
    hub.store.add_repo("tester/again", **{"report.json": b"{}", "plots/old.png": b"old"})
    publish(hub_report, hub_model_dir, "tester/again")
    assert "plots/old.png" not in hub.store.files("tester/again")


def test_private_means_private(hub: HubServer, hub_model_dir: Path, hub_report: Report) -> None:
    publish(hub_report, hub_model_dir, "tester/secret", private=True)
    publish(hub_report, hub_model_dir, "tester/secret", private=True)
    assert hub.store.repos["tester/secret"].private
    hub.store.add_repo("tester/open")
    error = refused(
        lambda: publish(hub_report, hub_model_dir, "tester/open", private=True), hub.token
    )
    assert "exists already and is public" in str(error)
    assert hub.store.commits("tester/open") == []


def test_a_branch_is_made_and_hidden_files_stay_at_home(
    hub: HubServer, hub_model_dir: Path, hub_report: Report, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    for path in hub_model_dir.iterdir():
        (folder / path.name).symlink_to(path)
    (folder / ".env").write_text("PASSWORD=1")
    (folder / ".git").mkdir()
    (folder / ".git" / "config").touch()
    (folder / "README.md").write_text("a card somebody else wrote")
    for _ in range(2):
        publish(hub_report, folder, REPO, revision="v2")
    files = hub.store.files(REPO, "v2")
    assert hub.store.commits(REPO) == [] and len(hub.store.commits(REPO, "v2")) == 1
    assert ".env" not in files and ".git/config" not in files
    assert b"model-index" in files["README.md"]


def test_the_environment_says_where_and_who(
    hub_server: HubServer, hub_model_dir: Path, hub_report: Report, tmp_path: Path
) -> None:
    code = (
        "import sys\n"
        "import hf_transfer_plugin.hub as hub\n"
        "assert not {'huggingface_hub', 'torch', 'matplotlib'} & set(sys.modules)\n"
        "from hf_transfer_plugin.records import Report\n"
        "sys.stdout.write(hub.publish(Report.load(sys.argv[1]), sys.argv[2], 'tiny-bert'))\n"
    )
    saved = str(hub_report.save(tmp_path / "report.json"))
    env = environment(hub_server, tmp_path / "home", HF_TOKEN=hub_server.token)
    url = run_python("-c", code, saved, str(hub_model_dir), env=env)
    assert url == f"{hub_server.endpoint}/{REPO}"
    assert len(hub_server.store.commits(REPO)) == 1
    agents = {
        r.headers["user-agent"].partition("/")[0] for r in hub_server.requests if r.route != "lfs"
    }
    assert "hf_transfer_plugin" in agents
