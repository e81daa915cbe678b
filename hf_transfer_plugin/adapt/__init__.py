"""HOW to transfer: schedules, adapters and objectives."""

from __future__ import annotations

from hf_transfer_plugin.adapt.schedule_state import ScheduleState
from hf_transfer_plugin.adapt.schedules import FreezingSchedule

__all__ = ["FreezingSchedule", "ScheduleState"]
