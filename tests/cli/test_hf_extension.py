"""`hf tl ...`: what hf needs of an extension, and that it hands over words and exit code."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path

from huggingface_hub.cli import extensions

ROOT = Path(__file__).parents[2]


def test_hf_runs_the_command_as_an_extension(tmp_path: Path) -> None:
    # hf installs OWNER/hf-tl: a file hf-tl in its root, or else the package, which must bring the
    # console script hf-tl.
    owner, repository, name = extensions._normalize_repo_id("somebody/hf-tl")
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert extensions._get_executable_name(name).removesuffix(".exe") in scripts
    assert not (ROOT / "hf-tl").exists(), "it would be taken for the whole extension"
    # What hf writes once pip is done.
    extensions.ExtensionManifest(
        owner=owner,
        repo=repository,
        repo_id=f"{owner}/{repository}",
        short_name=name,
        executable_path=str(Path(sys.executable).with_name("hf-tl")),
        type="python",
        installed_at=datetime.now(UTC),
    ).save(tmp_path / ".local" / "share" / "hf" / "extensions" / repository)
    alone = {"HOME": str(tmp_path), "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_UPDATE_CHECK": "1"}
    done = subprocess.run(
        [Path(sys.executable).with_name("hf"), "tl", "plan", "nowhere.yaml", "seeds=3"],
        cwd=tmp_path,
        env={**os.environ, **alone},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done
    assert done.stderr.startswith("error: ") and "nowhere.yaml" in done.stderr
