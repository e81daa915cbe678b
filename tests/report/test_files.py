from __future__ import annotations

import io
import json
import subprocess
import sys

import pytest
from rich.console import Console

from hf_transfer_plugin.records import Report
from hf_transfer_plugin.redaction import conceal_paths, redact
from hf_transfer_plugin.report import public_report, report_files, summary_table
from hf_transfer_plugin.report.names import display_name, shorten
from tests.report import samples


def test_every_file_is_there(files: dict[str, bytes]) -> None:
    plots = {
        f"plots/{name}.png" for name in ("ranking", "curves", "verdict", "confusion", "schedule")
    }
    assert set(files) == {"report.html", "README.md", "report.json"} | plots


def test_record_loads_back_equal(files: dict[str, bytes], report: Report) -> None:
    assert Report.from_json(json.loads(files["report.json"])) == report


def test_no_file_holds_a_token(hostile_files: dict[str, bytes]) -> None:
    for name, content in hostile_files.items():
        assert samples.TOKEN.encode() not in content, name
    assert b"hf_***" in hostile_files["report.json"]


def test_public_report_holds_no_local_path(hostile: Report) -> None:
    public = public_report(hostile)
    text = json.dumps(public.to_json())
    assert "/home" not in text and "someone" not in text
    assert public.data.path == public.transfer.plan.data.path == "./private data"
    assert "--data 'private data'" in public.command
    assert public.environment["python"] == "python"
    assert public_report(public) == public
    files = report_files(public)
    assert b"/home/someone" not in files["report.html"] + files["report.json"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("run --token hf_abcdefghij1234567890", "run --token hf_***"),
        ("hf_transfer_plugin hf_short", "hf_transfer_plugin hf_short"),
        ("at https://me:pass@mirror.example/x", "at https://***@mirror.example/x"),
        ("at https://mirror.example:8080/x", "at https://mirror.example:8080/x"),
    ],
)
def test_redact(text: str, expected: str) -> None:
    assert redact(text) == expected
    assert redact(expected) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("--data /home/me/flowers --out=/tmp/a/b", "--data flowers --out=b"),
        ("--data '/home/me/my flowers'", "--data 'my flowers'"),
        ("--data /home/me/my\\ flowers x", "--data my flowers x"),
        ("C:\\Users\\me\\run ~/x/y file:///srv/z", "run y z"),
        (
            "org/name and/or https://huggingface.co/a/b 3 / 4",
            "org/name and/or https://huggingface.co/a/b 3 / 4",
        ),
    ],
)
def test_conceal_paths(text: str, expected: str) -> None:
    assert conceal_paths(text) == expected


def test_names_are_shown_short_and_on_one_line() -> None:
    assert display_name("/home/me/models/bert/") == "bert"
    assert display_name("org/a\nb") == "org/a b"
    short = shorten("organisation/a-very-long-checkpoint-name", 21)
    assert len(short) == 21 and short.startswith("organisati…") and short.endswith("-name")


@pytest.mark.parametrize("which", ["report", "hostile"])
def test_summary_table_holds_the_figures(which: str, request: pytest.FixtureRequest) -> None:
    made: Report = request.getfixturevalue(which)
    console = Console(file=io.StringIO(), width=160)
    console.print(summary_table(made))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    for result in made.results:
        assert f"{100 * sum(result.scores()) / 5:.1f}%" in text
    verdict = made.verdict
    assert f"{100 * verdict.difference:+.1f} [".replace("-", "−") in text
    assert verdict.outcome in text and "160.0" in text
    assert ("go:" if verdict.go else "no go:") in text


def test_import_is_cheap() -> None:
    code = (
        "import sys, hf_transfer_plugin.report;"
        "heavy = {'matplotlib', 'jinja2', 'scipy', 'torch', 'huggingface_hub'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
