"""Each mistake a user can make ends with exit code 2 and one message of three parts."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hf_transfer_plugin.cli import main
from tests.bad_inputs import BAD_INPUTS, BadInput
from tests.hub_models import make_report
from tests.hub_server import HubServer
from tests.tiny_runs import (
    image_checkpoint,
    offline_cache,
    text_checkpoint,
    write_config,
    write_text_folder,
)

# What a run that was stopped by a mistake may leave; a name with a dot in front is half written.
LEFT = {"config.json", "data.json", "ranking.json", "plan.json", "explanation.json"}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with good data and checkpoints."""
    folder = tmp_path_factory.mktemp("good")
    write_text_folder(folder / "texts")
    text_checkpoint(folder / "bert")
    image_checkpoint(folder / "resnet")
    (folder / "empty").mkdir()
    return folder


@pytest.fixture(autouse=True)
def workplace(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in a copy of it, with no network."""
    shutil.copytree(template, tmp_path / "work")
    offline_cache(monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path / "work")


def _files() -> set[Path]:
    return {file for file in Path("run").rglob("*") if file.is_file()}


def _check(code: object, message: str, fragments: tuple[str, ...], before: set[Path]) -> None:
    assert code == 2, message
    # The parts stand on three lines, the last ones of the message.
    assert re.search(r"^error: .+\n  expected: .+\n  to do: .+\n\Z", message, re.MULTILINE), message
    assert "Traceback" not in message
    for fragment in fragments:
        assert fragment in message, message
    for file in _files() - before:
        assert file.name in LEFT, file
        json.loads(file.read_text())


def test_the_table_is_whole() -> None:
    assert len(BAD_INPUTS) == 97
    assert len({case.name for case in BAD_INPUTS}) == len(BAD_INPUTS)
    assert all(case.fragments for case in BAD_INPUTS)


@pytest.mark.parametrize("case", BAD_INPUTS, ids=lambda case: case.name)
def test_mistakes(
    case: BadInput, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    case.prepare()
    before = _files()
    monkeypatch.setattr(sys, "argv", ["hf-tl", *case.words])
    with pytest.raises(SystemExit) as stopped:
        main()
    _check(stopped.value.code, capsys.readouterr().err, case.fragments, before)


def _process(*words: str, **environment: str) -> tuple[int, str]:
    """Return exit code and message of the installed command, in a process of its own."""
    inherited = {k: v for k, v in os.environ.items() if k not in ("HF_HUB_OFFLINE", "HF_TOKEN")}
    done = subprocess.run(
        [str(Path(sys.executable).with_name("hf-tl")), *words],
        env={**inherited, "HF_HOME": str(Path.cwd() / "home"), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


def test_closed_network_in_a_process_of_its_own() -> None:
    write_config(Path("c.yaml"), checkpoint="no/body")
    secret = "hf_secretSECRETsecret"
    # The client of the Hub pauses for 23 s in all between its tries.
    Path("patient").mkdir()
    Path("patient/sitecustomize.py").write_text("import time\ntime.sleep = lambda _: None\n")
    path = os.pathsep.join(["patient", *filter(None, [os.environ.get("PYTHONPATH")])])
    surroundings = {"HF_ENDPOINT": "http://127.0.0.1:9", "PYTHONPATH": path}
    code, message = _process("rank", "c.yaml", HF_TOKEN=secret, **surroundings)
    _check(
        code, message, ("no/body is not in the local cache and the Hub cannot be reached",), set()
    )
    assert secret not in message


def test_data_of_the_hub_offline_in_a_process_of_its_own() -> None:
    write_config(Path("c.yaml"), data="no/body")
    code, message = _process("rank", "c.yaml", HF_HUB_OFFLINE="1")
    _check(
        code,
        message,
        ("cannot read the data no/body", "OfflineModeIsEnabled", "check spelling"),
        set(),
    )


def test_wrong_token_in_a_process_of_its_own(hub_server: HubServer) -> None:
    make_report().save("run/report.json")
    text_checkpoint(Path("run/model"))
    before = _files()
    secret = "hf_wrongTOKENwrongTOKEN"
    surroundings = {"HF_ENDPOINT": hub_server.endpoint, "HF_TOKEN": secret}
    code, message = _process(
        "publish", "run", "tester/tiny", HF_HUB_DISABLE_XET="1", **surroundings
    )
    _check(code, message, ("answered 401", "hf auth login"), before)
    assert _files() == before
    assert secret not in message and not hub_server.store.repos
