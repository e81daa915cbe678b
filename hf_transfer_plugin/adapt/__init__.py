"""HOW to transfer: schedules, adapters and objectives."""

from __future__ import annotations

from hf_transfer_plugin.adapt.schedules import FreezingSchedule, ScheduleState

__all__ = ["FreezingSchedule", "ScheduleState"]
