"""Counters of energy that a machine may have: of NVIDIA boards (NVML), of processors (RAPL)."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path

__all__ = ["Counter", "board_counter", "package_counter"]

_POWERCAP = Path("/sys/class/powercap")
Counter = Callable[[], float]


def package_counter(root: Path = _POWERCAP) -> Counter | None:
    """Return what reads joules since some moment, of all processor packages; None: not readable.

    Intel's and AMD's Running Average Power Limit, which Linux lets root alone read.
    """
    packages = sorted(root.glob("intel-rapl:?"))
    try:
        spans = [int((each / "max_energy_range_uj").read_text()) for each in packages]
        last = [int((each / "energy_uj").read_text()) for each in packages]
    except (OSError, ValueError):
        return None
    total = 0

    def joules() -> float:
        nonlocal total
        for index, each in enumerate(packages):
            now = int((each / "energy_uj").read_text())
            total += (now - last[index]) % spans[index]  # the counter begins again at its end
            last[index] = now
        return total / 1e6

    return joules if packages else None


def board_counter(uuid: str) -> tuple[Counter | None, float | None]:
    """Return what reads the joules of an NVIDIA board, and its power limit in watts.

    Args:
        uuid: of the board, such as "GPU-1f2e...".

    Returns:
        None for what the driver does not tell (energy: boards before Volta).
    """
    try:
        nvml = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return None, None
    board = ctypes.c_void_p()
    if nvml.nvmlInit_v2() or nvml.nvmlDeviceGetHandleByUUID(uuid.encode(), ctypes.byref(board)):
        return None, None
    limit = ctypes.c_uint()
    known = not nvml.nvmlDeviceGetEnforcedPowerLimit(board, ctypes.byref(limit))
    millijoules = ctypes.c_ulonglong()

    def joules() -> float:
        nvml.nvmlDeviceGetTotalEnergyConsumption(board, ctypes.byref(millijoules))
        return millijoules.value / 1000

    counts = not nvml.nvmlDeviceGetTotalEnergyConsumption(board, ctypes.byref(millijoules))
    return joules if counts else None, limit.value / 1000 if known else None
