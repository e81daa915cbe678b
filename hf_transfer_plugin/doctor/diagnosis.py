"""All that is looked at, part by part."""

from __future__ import annotations

from collections.abc import Mapping

from hf_transfer_plugin.doctor.finding import Finding
from hf_transfer_plugin.doctor.hub_access import hub_findings
from hf_transfer_plugin.doctor.machine import machine_findings
from hf_transfer_plugin.doctor.packages import package_findings
from hf_transfer_plugin.doctor.upstream import quirk_findings

__all__ = ["diagnose"]


def diagnose(*, hub: bool = True) -> Mapping[str, tuple[Finding, ...]]:
    """Look at packages, machine, Hub and known faults of other libraries.

    Args:
        hub: ask the Hub, which takes at most some ten seconds.

    Returns:
        Part -> its findings: "packages", "machine", "hub" (if asked), "known upstream".
    """
    parts = {"packages": tuple(package_findings()), "machine": tuple(machine_findings())}
    if hub:
        parts["hub"] = tuple(hub_findings())
    return parts | {"known upstream": tuple(quirk_findings())}
