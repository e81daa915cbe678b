"""The wheel holds what a user needs, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
NEEDED = (
    "hf_transfer_plugin/py.typed",
    "hf_transfer_plugin/samples/demo_text.yaml",
    "hf_transfer_plugin/samples/demo_images.yaml",
    "hf_transfer_plugin/report/templates/page.html.j2",
    "hf_transfer_plugin/report/templates/card.md.j2",
)


def test_wheel(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path]
    subprocess.run([*command, ROOT], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        read = {n.rpartition("/")[2]: archive.read(n).decode() for n in names if "dist-info" in n}
    assert set(NEEDED) <= set(names)
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"hf_transfer_plugin"}
    assert "hf-tl = hf_transfer_plugin.cli:main" in read["entry_points.txt"]
    for extra in ("vision", "demo", "test", "bench", "docs", "search", "tracking"):
        assert f"Provides-Extra: {extra}" in read["METADATA"]
    plain = [row for row in read["METADATA"].splitlines() if row.startswith("Requires-Dist")]
    assert not [row for row in plain if "timm" in row and "extra" not in row]
