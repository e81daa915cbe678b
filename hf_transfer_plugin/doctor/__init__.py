"""Whether this machine is ready: versions, memory, disk, the Hub, known faults of libraries."""

from hf_transfer_plugin.doctor.diagnosis import diagnose
from hf_transfer_plugin.doctor.finding import Finding, Level

__all__ = ["Finding", "Level", "diagnose"]
