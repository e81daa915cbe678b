"""Fixtures that several test files share."""

from __future__ import annotations

from tests.hub_fixtures import hub as hub
from tests.hub_fixtures import hub_model as hub_model
from tests.hub_fixtures import hub_model_dir as hub_model_dir
from tests.hub_fixtures import hub_report as hub_report
from tests.hub_fixtures import hub_server as hub_server
from tests.hub_fixtures import hub_sleeps as hub_sleeps
from tests.hub_fixtures import running_hub as running_hub
