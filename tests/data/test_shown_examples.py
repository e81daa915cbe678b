from __future__ import annotations

import base64
import io
from pathlib import Path

import pytest
from PIL import Image

from hf_transfer_plugin import DataSpec, load_data
from hf_transfer_plugin.data import shown_examples
from tests.tiny_runs import offline_cache, texts, write_images, write_text_folder


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offline_cache(monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path)


def test_texts_are_cut_and_stand_on_one_line() -> None:
    test = texts(10, start=25)
    test["text"][3] = "two\n lines " + "word " * 2000
    write_text_folder(Path("texts"), test=test)
    data = load_data(DataSpec("texts"), "text-classification")
    last, long = shown_examples(data, [19, 3])
    assert (last.number, last.text, last.picture) == (19, test["text"][19].strip(), "")
    assert long.text.startswith("two lines word word") and long.text.endswith("word…")
    assert len(long.text) <= 301
    assert shown_examples(data, []) == ()


def test_images_become_small_pictures() -> None:
    folder = write_images(Path("pictures"), per_class=6)
    Image.new("RGBA", (900, 600), (0, 0, 0, 0)).save(folder / "cat" / "wide.png")
    spec = DataSpec("pictures", validation_fraction=0.2, test_fraction=0.5)
    data = load_data(spec, "image-classification")
    rows = data.splits["test"]
    shown = shown_examples(data, range(len(rows)))
    assert [each.number for each in shown] == list(range(len(rows)))
    for each, row in zip(shown, rows, strict=True):
        picture = Image.open(io.BytesIO(base64.b64decode(each.picture)))
        assert picture.format == "JPEG" and max(picture.size) <= 160
        width, height = row["image"].size
        assert picture.width / picture.height == pytest.approx(width / height, rel=0.02)
        transparent = row["image"].mode == "RGBA"
        assert (picture.convert("L").getextrema() == (255, 255)) == transparent
