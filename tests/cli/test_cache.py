"""`hf-tl cache`: a table that fits the terminal, deletion, mistakes; nothing heavy is imported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.prefix.filling import SPECS, fill, open_store


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_TL_CACHE", str(tmp_path / "cache"))
    note = {"model": "someone/[bold]long-name-of-a-model", "data": "2,000 rows of [/] train"}
    fill(open_store(tmp_path / "cache", note=note), [0, 1, 2])
    open_store(tmp_path / "cache", specs=SPECS[:1])
    return tmp_path / "cache"


def _names(cache: Path) -> list[str]:
    return sorted(each.name for each in cache.iterdir() if each.is_dir())


def test_the_table(cache: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    code, out, err = command("cache")
    assert code == 0 and not err
    lines = out.splitlines()
    assert max(map(len, lines[:-1])) <= 80
    for name in _names(cache):
        (line,) = (each for each in lines if name in each)
        assert " 1,500 " in line and " MB " in line
    assert " 50% " in out and " 0% " in out
    assert "[bold]long" in out and "[/] train" in out
    total = sum(file.stat().st_size for file in cache.glob("*/*")) / 1e6
    assert lines[-1] == f"2 entries, {total:.1f} MB, in {cache}"


def test_the_table_of_nothing(tmp_path: Path, command: Command) -> None:
    code, out, _ = command("cache", "--folder", str(tmp_path / "none"))
    assert code == 0 and out == f"0 entries, 0 B, in {tmp_path / 'none'}\n"
    assert not (tmp_path / "none").exists()


def test_deletion(cache: Path, command: Command) -> None:
    first, second = _names(cache)
    size = sum(file.stat().st_size for file in (cache / first).iterdir()) / 1e6
    code, out, _ = command("cache", "--delete", first)
    assert code == 0 and out == f"deleted 1 entry, {size:.1f} MB freed\n"
    assert _names(cache) == [second]
    code, out, _ = command("cache", "--delete-all", "--older-than", "1")
    assert code == 0 and out == "deleted 0 entries, 0 B freed\n" and _names(cache) == [second]
    assert command("cache", "--older-than", "1")[1].startswith("0 entries")
    code, out, _ = command("cache", "--delete-all")
    assert code == 0 and out.startswith("deleted 1 entry, ") and _names(cache) == []


def test_mistakes(cache: Path, command: Command) -> None:
    first, second = _names(cache)
    code, out, err = command("cache", "--delete", second, "--delete", first[:-1])
    assert code == 2 and not out
    assert f"error: no entry '{first[:-1]}'" in err and f"did you mean '{first}'?" in err
    code, _, err = command("cache", "--delete", first, "--delete-all")
    assert code == 2 and "error: --delete and --delete-all" in err
    assert command("cache", "--delete-all", "--older-than", "-1")[0] == 2
    assert _names(cache) == [first, second]


def test_an_entry_that_is_filled_is_refused(cache: Path, command: Command) -> None:
    store = open_store(cache)
    with store.locked():
        code, _, err = command("cache", "--delete", store.path.name)
        assert code == 2 and f"error: a process is filling {store.path.name}" in err
    assert store.path.name in _names(cache)


def test_nothing_heavy_is_imported(cache: Path) -> None:
    code = (
        "import sys\n"
        "from hf_transfer_plugin.cli import main\n"
        "sys.argv = ['hf-tl', 'cache']\n"
        "try:\n    main()\nexcept SystemExit:\n"
        "    print([n for n in ('torch', 'transformers', 'numpy') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ, capture_output=True, text=True, check=True
    )
    assert "Cached activations" in done.stdout and done.stdout.splitlines()[-1] == "[]"
