"""The simulated verdicts at reduced size: false alarms within their bound, and power."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "recipes" / "benchmarks" / "verdicts.py"
RUNS = 2000
# Three standard errors above 5 % and 2.5 %.
EITHER = 5 + 300 * math.sqrt(0.05 * 0.95 / RUNS)
ONE_SIDE = 2.5 + 300 * math.sqrt(0.025 * 0.975 / RUNS)


def test_false_alarms_and_power() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(SCRIPT), "--runs", str(RUNS)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    lines = [line for line in done.stdout.splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    alarms = {(r[0], r[1]): [float(cell.rstrip(" %")) for cell in r[2:]] for r in rows[2:30]}
    assert len(alarms) == 28
    for kind in ("normal", "accuracies on 200 examples", "heavy tails (t, 3 degrees)"):
        for name in ("`judge`, 5 seeds", "anytime-valid, looks at 2 to 40"):
            harm, helped, either = alarms[kind, name]
            assert harm <= ONE_SIDE and helped <= ONE_SIDE and either <= EITHER, (kind, name)
        assert alarms[kind, "Student, looks at 2 to 40"][2] > 20
    found = {(r[0], r[1].split(",")[0]): float(r[3].rstrip(" %")) for r in rows if "sd" in r[0]}
    assert found["2 sd", "Student"] > 99 and found["2 sd", "anytime-valid"] > 90
