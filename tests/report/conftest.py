from __future__ import annotations

import pytest

from hf_transfer_plugin.records import Report
from hf_transfer_plugin.report import report_files
from tests.report import samples


@pytest.fixture(scope="session")
def report() -> Report:
    return samples.report()


@pytest.fixture(scope="session")
def files(report: Report) -> dict[str, bytes]:
    return report_files(report, "https://huggingface.co/someone/questions")


@pytest.fixture(scope="session")
def hostile() -> Report:
    return samples.hostile()


@pytest.fixture(scope="session")
def hostile_files(hostile: Report) -> dict[str, bytes]:
    return report_files(hostile)
