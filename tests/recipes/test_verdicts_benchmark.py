"""The simulated verdicts at reduced size: false alarms within their bound, and power."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "recipes" / "benchmarks" / "verdicts.py"
RUNS = 2000
PLANNED = "planned looks at 3, 5, 10"
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
    alarms = {(r[0], r[1]): [float(cell.rstrip(" %")) for cell in r[2:]] for r in rows[2:34]}
    assert len(alarms) == 32
    for kind in ("normal", "accuracies on 200 examples", "heavy tails (t, 3 degrees)"):
        for name in ("`judge`, 5 seeds", "anytime-valid, looks at 2 to 40", PLANNED):
            harm, helped, either = alarms[kind, name]
            assert harm <= ONE_SIDE and helped <= ONE_SIDE and either <= EITHER, (kind, name)
        assert alarms[kind, "Student, looks at 2 to 40"][2] > 20
    found = {(r[0], r[1].split(",")[0]): float(r[3].rstrip(" %")) for r in rows if "sd" in r[0]}
    assert found["2 sd", "Student"] > 99 and found["2 sd", "anytime-valid"] > 90
    planned = [r for r in rows if len(r) == 11 and "sd" in r[0]]
    shares = [[float(cell.rstrip(" %")) for cell in (*r[2:8], *r[9:])] for r in planned]
    assert len(planned) == 14
    null = shares[0]
    assert null[1] <= ONE_SIDE and null[5] <= ONE_SIDE and 0 < null[1] + null[5] <= EITHER
    for margin in (shares[:7], shares[7:]):
        cost = [each[-1] for each in margin]
        assert min(cost) == cost[-1] < 40
        assert all(each[-2] > 99 for each in margin[-3:])
    # Margins of 0 and of one deviation; the latter is the hardest of all.
    assert sum(each[-2] for each in shares[:7]) / 7 > 95
    assert sum(each[-2] for each in shares) / 14 > 92
