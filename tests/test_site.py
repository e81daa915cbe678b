"""The site: each page is in the menu, each link and anchor leads somewhere, each name is there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import hf_transfer_plugin
from hf_transfer_plugin.cli import app

ROOT = Path(__file__).parents[1]


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path / "site"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    start = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert 'href="schedules/"' in start and "fonts.googleapis" not in start
    benchmarks = (tmp_path / "site/recipes/benchmarks/index.html").read_text(encoding="utf-8")
    assert 'href="results/objectives/"' in benchmarks
    assert (tmp_path / "site/recipes/benchmarks/results/objectives.jsonl").is_file()
    python = (tmp_path / "site" / "api" / "index.html").read_text(encoding="utf-8")
    assert "Returns" in python and 'id="hf_transfer_plugin.decide.verdict.judge"' in python


def test_every_page_is_in_the_menu() -> None:
    menu = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("nav:")[2]
    assert {page.name for page in (ROOT / "docs").glob("*.md")} <= set(re.findall(r"\S+\.md", menu))


def test_every_public_name_is_described() -> None:
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    described = re.findall(r"^::: (hf_transfer_plugin\S*)\.(\w+)$", page, re.MULTILINE)
    names = set(hf_transfer_plugin.__all__) - {"__version__"}
    assert sorted(name for _, name in described) == sorted(names)
    for module, name in described:
        assert getattr(hf_transfer_plugin, name).__module__ == module


def test_every_kind_of_transfer_has_a_command_that_is_there() -> None:
    page = (ROOT / "docs" / "coverage.md").read_text(encoding="utf-8")
    commands = re.findall(r"`((?:hf-tl|python) [^`]+)`", page)
    known = {command.name for command in app.registered_commands}
    assert len(commands) > 25
    for command in commands:
        words = command.split()
        assert words[0] == "python" or words[1] in known, command
        for path in (word for word in words if word.startswith("recipes/")):
            assert (ROOT / path).is_file(), command
