"""Every card that is committed is what the package makes of the record beside it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import metadata_load

from hf_transfer_plugin.records import Report

ROOT = Path(__file__).parents[2]
CARDS = sorted(path.parent for path in (ROOT / "model_cards").glob("*/report.json"))
FOLDERS = sorted(path for path in (ROOT / "model_cards").iterdir() if path.is_dir())
RECIPE = ROOT / "recipes" / "model_cards.py"


def test_cards_are_drawn_from_their_records(tmp_path: Path) -> None:
    assert len(CARDS) >= 3 and len(FOLDERS) > len(CARDS)
    command = [sys.executable, str(RECIPE), *map(str, FOLDERS), "--into", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)
    for card in FOLDERS:
        made = {p.relative_to(tmp_path / card.name) for p in _files(tmp_path / card.name)}
        assert made == {path.relative_to(card) for path in _files(card)}
        for name in (path for path in made if path.suffix in (".md", ".json")):
            assert (card / name).read_bytes() == (tmp_path / card.name / name).read_bytes(), card
    assert (CARDS[0].parent / "README.md").read_bytes() == (tmp_path / "README.md").read_bytes()


@pytest.mark.parametrize("card", CARDS, ids=lambda path: path.name)
def test_a_card_is_whole_and_shows_no_row(card: Path) -> None:
    report = Report.load(card / "report.json")
    metadata = metadata_load(card / "README.md")
    assert metadata is not None and metadata["model-index"]
    # Vectors of one's own texts come from no checkpoint that states a licence.
    own = report.source_checkpoint.startswith("./")
    assert ("license" in metadata) == ("base_model" in metadata) == (not own)
    assert report.examples == () and report.transfer.drift is not None
    assert report.command.startswith(("hf-tl run recipes/configs/", "python recipes/"))
    config = next(word for word in report.command.split() if word.endswith(".yaml"))
    assert (ROOT / config).is_file()
    assert f"title: {report.title}" in (ROOT / config).read_text(encoding="utf-8")


def test_a_folder_without_a_run_is_one_clear_message(tmp_path: Path) -> None:
    command = [sys.executable, str(RECIPE), str(tmp_path / "nothing")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "error: " in done.stderr and "Traceback" not in done.stderr


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
