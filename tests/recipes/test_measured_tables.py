"""What was measured is committed beside its tables, and makes them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.recipes.conftest import BENCHMARKS

RESULTS = sorted(BENCHMARKS.glob("results/*.json*"))
SCRIPTS = {"adapters_few_rows": "adapters"}


@pytest.mark.parametrize("results", RESULTS, ids=lambda path: path.stem)
def test_the_tables_on_the_page_are_those_of_the_results(
    results: Path, run_script: Callable[..., str]
) -> None:
    script = f"{SCRIPTS.get(results.stem, results.stem)}.py"
    printed = run_script(script, "--table", "--out", str(results))
    assert printed.strip() == results.with_suffix(".md").read_text(encoding="utf-8").strip()
    assert printed.count("| --- |") >= 1


def test_every_page_of_tables_has_its_results() -> None:
    pages = {path.stem for path in BENCHMARKS.glob("results/*.md")}
    assert pages == {path.stem for path in RESULTS} and len(pages) >= 11
