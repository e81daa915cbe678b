"""The target data as a user names them, and what they were found to hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from hf_transfer_plugin.augmentation_records import Augmentation
from hf_transfer_plugin.serialization import Record

__all__ = ["DataSpec", "DataSummary", "ShownExample", "Task"]

Task = Literal["text-classification", "image-classification"]


@dataclass(frozen=True)
class DataSpec(Record):
    """Where the target data lie and which of its columns to read.

    Attributes:
        path: Hub name, image folder, csv / json / parquet file or folder, or `sample:NAME`.
        name: configuration of a Hub dataset.
        revision: commit, tag or branch of a Hub dataset.
        text, text_pair, image, label: column names; None means found from the column types.
        train_split, validation_split, test_split: names of the splits.
        validation_fraction, test_fraction: share of train that is held out (stratified, seeded)
            when the data have no such split.
        train_examples, validation_examples, test_examples: stratified subsample sizes.
        max_length: tokens a text is cut to.
        image_size: pixels of the (square) network input; None means the checkpoint's own.
        seed: seed of every split and subsample; one value for all plans of a run.
        augment: random changes of the images that train, and of no others: `article`, or
            `{rotation: 20, flip: true, views: 4}`; see `Augmentation`.
    """

    path: str
    name: str | None = None
    revision: str | None = None
    text: str | None = None
    text_pair: str | None = None
    image: str | None = None
    label: str | None = None
    train_split: str = "train"
    validation_split: str = "validation"
    test_split: str = "test"
    validation_fraction: float = 0.1
    test_fraction: float = 0.2
    train_examples: int | None = None
    validation_examples: int | None = None
    test_examples: int | None = None
    max_length: int = 128
    image_size: int | None = None
    seed: int = 0
    augment: Augmentation | None = None


@dataclass(frozen=True)
class DataSummary(Record):
    """What the checked data hold.

    Attributes:
        path: as in `DataSpec`.
        fingerprint: hash over the rows that are used.
        class_names: in label order.
        counts: split name -> examples of each class, in label order.
        warnings: findings that do not stop a run, in plain words.
    """

    file_name = "data.json"

    path: str
    fingerprint: str
    class_names: tuple[str, ...]
    counts: Mapping[str, tuple[int, ...]]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class ShownExample(Record):
    """A test example as a report shows it: these are rows of the data.

    Attributes:
        number: in the test split, from 0.
        text: the beginning of a text; "" for an image.
        picture: of an image, small, a JPEG in base64; "" for a text.
    """

    number: int
    text: str = ""
    picture: str = ""
