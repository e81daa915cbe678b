"""A view follows from seed, row and number alone; the dataset's own transform sees it."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset
from torch.utils.data import DataLoader
from torchvision.transforms import v2

from hf_transfer_plugin import Augmentation, AugmentedImages
from hf_transfer_plugin.errors import ConfigError, DataError
from tests.augmented_runs import SIDE, augmented, photographs, to_pixels

ROWS = 12


def _pixels(data: AugmentedImages, epoch: int) -> torch.Tensor:
    data.set_epoch(epoch)
    return torch.stack([data[row]["pixel_values"] for row in range(len(data))])


def test_views_take_turns() -> None:
    """With an end the third epoch shows the first view again; without one nothing comes twice."""
    kept, endless = augmented(2, rows=ROWS), augmented(None, rows=ROWS)
    of_kept = [_pixels(kept, epoch) for epoch in range(4)]
    assert of_kept[0].shape == (ROWS, 3, SIDE, SIDE)
    assert torch.equal(of_kept[0], of_kept[2]) and torch.equal(of_kept[1], of_kept[3])
    found = [_pixels(endless, epoch) for epoch in range(4)]
    assert torch.equal(found[0], of_kept[0]) and torch.equal(found[1], of_kept[1])
    # Every image differs from itself in another epoch, and from what is stored.
    stored = torch.stack([row["pixel_values"] for row in photographs(ROWS)])
    for one, other in ((found[0], found[1]), (found[2], found[3]), (found[0], stored)):
        assert float((one - other).abs().flatten(1).mean(1).min()) > 0.01
    assert not torch.equal(_pixels(augmented(None, rows=ROWS, seed=1), 0), found[0])


def test_a_row_is_the_same_however_it_is_read() -> None:
    data = augmented(None, rows=ROWS)
    whole = _pixels(data, 5)
    drawn: Any = np.random.get_state
    state = random.getstate(), torch.get_rng_state(), drawn()[1].tolist()
    backwards = data.__getitems__(list(range(ROWS))[::-1])
    assert state[0] == random.getstate() and torch.equal(state[1], torch.get_rng_state())
    assert state[2] == drawn()[1].tolist()
    assert torch.equal(torch.stack([row["pixel_values"] for row in backwards[::-1]]), whole)
    given: Any = data
    for batch, rows in zip(
        DataLoader(given, batch_size=4, num_workers=2), whole.split(4), strict=True
    ):
        assert torch.equal(batch["pixel_values"], rows)
    assert torch.equal(data[-1]["pixel_values"], whole[-1])
    with pytest.raises(IndexError):
        data[ROWS]


def test_workers_that_live_on_hear_of_the_epoch() -> None:
    data: Any = augmented(None, rows=ROWS)
    rows = DataLoader(data, batch_size=ROWS, num_workers=1, persistent_workers=True)
    found = []
    for epoch in range(2):
        data.set_epoch(epoch)
        found += [batch["pixel_values"] for batch in rows]
    assert torch.equal(found[0], _pixels(data, 0)) and torch.equal(found[1], _pixels(data, 1))


def test_unchanged() -> None:
    data = augmented(None, rows=ROWS)
    with data.unchanged():
        shown = torch.stack([row["pixel_values"] for row in data])  # type: ignore[attr-defined]
    assert torch.equal(shown, torch.stack([row["pixel_values"] for row in photographs(ROWS)]))
    with pytest.raises(DataError, match="AugmentationCallback"):
        data[0]


def test_without_a_transform_the_row_keeps_its_columns() -> None:
    rows = photographs(ROWS).with_format(None)
    data = AugmentedImages(rows, v2.RandomHorizontalFlip(1.0), views=1)
    data.set_epoch(0)
    row = data[3]
    assert row["label"] == 1
    assert np.array_equal(np.asarray(row["image"])[:, ::-1], np.asarray(rows[3]["image"]))


def test_each_change_changes_and_none_else() -> None:
    """One setting at a time: the images differ; colours do only where colours are meant."""
    settings = {
        **{"rotation": 30, "zoom": 0.3, "shift": 0.3, "shear": 0.3},
        **{"flip": True, "color": 0.5, "grayscale": 1.0},
    }
    stored = torch.stack([row["pixel_values"] for row in photographs(ROWS)])
    for name, value in settings.items():
        change = Augmentation.from_config({name: value})
        found = _pixels(AugmentedImages(photographs(ROWS), change), 0)
        moved = (found - stored).abs().flatten(1).mean(1)
        assert float((moved > 0.01).float().mean()) >= (0.25 if name == "flip" else 0.9), name
        grey = torch.equal(found[:, 0], found[:, 1])
        assert grey == (name == "grayscale")
        if name == "flip":
            pairs = zip(found, stored, strict=True)
            mirrored = [torch.equal(one, other.flip(-1)) for one, other in pairs]
            assert mirrored == (moved > 0.01).tolist()


WRONG: dict[str, tuple[Any, dict[str, Any], str]] = {
    "a list": ([1, 2], {}, "list, to be augmented"),
    "another format": (photographs(4).with_format("torch"), {}, "in the format 'torch'"),
    "no image": (Dataset.from_dict({"a": [1]}), {}, "image columns none, of the columns a"),
    "no such column": (photographs(4), {"column": "label"}, "column='label'"),
    "no views": (photographs(4), {"views": 0}, "views=0"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_augmented_is_named(name: str) -> None:
    assert len(WRONG) == 5
    data, options, said = WRONG[name]
    with pytest.raises((ConfigError, DataError)) as caught:
        AugmentedImages(data, "light", **options)
    assert said in str(caught.value)


def test_the_transform_sees_one_changed_image_at_a_time() -> None:
    seen: list[tuple[int, tuple[int, int]]] = []

    def transform(rows: dict[str, Any]) -> dict[str, Any]:
        seen.append((len(rows["image"]), rows["image"][0].size))
        return to_pixels(rows)

    data = AugmentedImages(photographs(ROWS).with_transform(transform), "article")
    data.versions([(0, 0), (1, 7)])
    assert seen == [(1, (SIDE, SIDE))] * 2
