"""What a config may say of augmentation, and what it is told when it says something else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hf_transfer_plugin import Augmentation, DataSpec, load_config
from hf_transfer_plugin.config_values import check_data
from hf_transfer_plugin.errors import ConfigError
from tests.tiny_runs import write_config

ARTICLE = Augmentation(rotation=50, zoom=0.3, shift=0.2, shear=0.2, flip=True)

# name -> (data.augment of the file, overrides, what is read)
READ: dict[str, tuple[Any, list[str], Augmentation | None]] = {
    "nothing": (None, [], None),
    "a name": ("article", [], ARTICLE),
    "a name behind": (None, ["data.augment=article"], ARTICLE),
    "a key beside a name": (
        "light",
        ["data.augment.views=4", "data.augment.zoom=0.5"],
        Augmentation(rotation=10, zoom=0.5, shift=0.1, flip=True, views=4),
    ),
    "settings": ({"flip": True, "color": 0.5}, [], Augmentation(flip=True, color=0.5)),
    "taken back": ("article", ["data.augment="], None),
}

# name -> (data.augment, what is said)
WRONG: dict[str, tuple[Any, str]] = {
    "negative": ({"zoom": -0.1}, "augment.zoom: -0.1"),
    "too much": ({"rotation": 200}, "a number from 0 to 180 degrees"),
    "text": ({"shift": "0.2"}, "augment.shift: '0.2'"),
    "switch": ({"flip": 2}, "augment.flip: 2"),
    "not finite": ({"shear": float("nan")}, "augment.shear: nan"),
    "no view": ({"flip": True, "views": 0}, "augment.views: 0"),
    "half a view": ({"flip": True, "views": 1.5}, "augment.views: 1.5"),
    "unknown key": ({"rotate": 5}, "unknown key augment.rotate; did you mean 'rotation'?"),
    "unknown name": ("artikel", "unknown augmentation 'artikel'; did you mean 'article'?"),
    "no name": ({"name": ["article"]}, "unknown augmentation ['article']"),
    "a list": (["flip"], "a mapping such as {rotation: 20, flip: true}"),
    "no change": ({"views": 3}, "augment without a change"),
}


def _load(folder: Path, augment: Any, *overrides: str, **keys: Any) -> Any:
    data = {"path": "photos"} if augment is None else {"path": "photos", "augment": augment}
    given = {"task": "image-classification", "data": data, "rank_scores": None, **keys}
    return load_config(write_config(folder / "c.yaml", **given), overrides)


@pytest.mark.parametrize("name", READ)
def test_what_is_written_is_read(name: str, tmp_path: Path) -> None:
    augment, overrides, wanted = READ[name]
    config = _load(tmp_path, augment, *overrides)
    assert config.data.augment == wanted
    assert type(config).load(config.save(tmp_path / "config.json")) == config


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_fit_is_named(name: str, tmp_path: Path) -> None:
    augment, said = WRONG[name]
    with pytest.raises(ConfigError) as caught:
        _load(tmp_path, augment)
    assert said in str(caught.value)


def test_texts_are_not_augmented(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="data.augment with task: text-classification"):
        _load(tmp_path, "article", task="text-classification")


def test_it_stands_under_data_alone(tmp_path: Path) -> None:
    source = {"path": "drawings", "augment": "light"}
    with pytest.raises(ConfigError, match="source_data.augment"):
        _load(tmp_path, "light", source_data=source, labels="source")


def test_what_does_not_read_it_refuses_it() -> None:
    """Several tasks, few labels, chosen source rows."""
    with pytest.raises(ConfigError, match="tasks.photos.augment"):
        check_data(DataSpec("photos", augment=ARTICLE), "tasks.photos")
    check_data(DataSpec("photos", augment=ARTICLE), "data", augment=True)


def test_words() -> None:
    assert ARTICLE.described == (
        "rotation up to 50 degrees, zoom up to 30 %, shift up to 20 %, shear up to 20 %, "
        "mirrored or not; a new view of each image in each epoch"
    )
    kept = Augmentation(color=0.1, grayscale=0.25, views=4).described
    assert kept == "colours up to 10 %, 25 % without colour; 4 views of each image, in turn"


def test_the_tables_are_whole() -> None:
    assert (len(READ), len(WRONG)) == (6, 12)
