"""A training set of images that look different in each epoch, and the same each time it is run."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hf_transfer_plugin.augmentation_records import Augmentation
from hf_transfer_plugin.errors import ConfigError, DataError
from hf_transfer_plugin.random_states import kept_random_states, seed_everything

if TYPE_CHECKING:
    from datasets import Dataset
    from PIL.Image import Image

__all__ = ["AugmentedImages", "image_change"]

_NO_EPOCH, _UNCHANGED = -1, -2
# Of ImageNet: what most networks read as nothing.
_MEAN_COLOUR = (124, 116, 104)


class AugmentedImages:
    """Rows of a `datasets.Dataset` whose images are changed at random before anything else.

    A transform that the dataset has (`set_transform`) gets the changed image, in RGB, of one row
    at a time. What is drawn follows from the seed, the number of the row and that of the view
    alone, and no random number of a run is touched: a run that goes on in the middle of an epoch,
    or runs on several processes or with dataloader workers, sees the same images. An
    `AugmentationCallback` says which epoch it is. With `views`, `prefix_cache` keeps what frozen
    layers give for each view.

    Args:
        dataset: training rows with an image column. Those of evaluation are left as they are.
        augmentation: an `Augmentation`, its name ("article", "light"), its settings as a mapping,
            or any function from image to image that draws from the random numbers of torch, numpy
            or Python, such as `torchvision.transforms.v2.TrivialAugmentWide()`.
        views: different versions of each image, which take turns; None: those of `augmentation`,
            and if it names none a new one in each epoch.
        seed: of the views.
        column: name of the image column; None: the only one.

    Attributes:
        rows: the dataset without its transform.
        views: as given; None without an end.

    Raises:
        ConfigError: for an augmentation that does not exist, or without torchvision.
        DataError: for a dataset of another kind, or without an image column.

    Examples:
        >>> train.set_transform(preprocess)  # images to pixel_values
        >>> train = AugmentedImages(train, "article", views=4)
        >>> Trainer(..., train_dataset=train, callbacks=[AugmentationCallback(train)])
    """

    def __init__(
        self,
        dataset: Dataset,
        augmentation: Augmentation | str | Mapping[str, Any] | Callable[[Image], Image],
        *,
        views: int | None = None,
        seed: int = 0,
        column: str | None = None,
    ) -> None:
        import torch

        self._transform = _transform_of(dataset)
        self.rows: Any = copy.copy(dataset)
        self.rows.set_format(None, columns=dataset.format["columns"])
        self._column = _image_column(self.rows, column)
        self._changes: Any = augmentation
        if not callable(augmentation):
            if not isinstance(augmentation, Augmentation):
                augmentation = Augmentation.from_config(augmentation)
            views = augmentation.views if views is None else views
            self._changes = replace(augmentation.checked(), views=None)
        if views is not None and (type(views) is not int or views < 1):
            raise ConfigError(
                arrived=f"views={views!r}",
                expected="a whole number from 1 up, or None",
                action="give the number of versions of each image",
            )
        self._change = self._changes if callable(self._changes) else image_change(self._changes)
        self.views, self.seed = views, seed
        # Seen by dataloader workers, too.
        self._shared = torch.full((1,), _NO_EPOCH, dtype=torch.int64).share_memory_()

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return a row in its view of this epoch."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"row {index} of {len(self)}")
        return self.__getitems__([int(index) % len(self)])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        """Return rows in their views of this epoch."""
        view = self.view
        return self.versions([(int(index), view) for index in indices])

    @property
    def view(self) -> int:
        """Return the number of the view that this epoch shows of each row.

        Raises:
            DataError: when nobody has said which epoch it is.
        """
        epoch = int(self._shared[0])
        if epoch == _NO_EPOCH:
            raise DataError(
                arrived="a row of AugmentedImages is read before an epoch has begun",
                expected="AugmentationCallback, which tells the dataset each epoch of a Trainer",
                action="add callbacks=[AugmentationCallback(dataset)] to the Trainer; in a loop of "
                "your own call set_epoch(number) first",
            )
        return epoch % self.views if self.views is not None and epoch >= 0 else epoch

    @property
    def settings(self) -> tuple[Any, ...]:
        """Return all that decides how a row comes out, beside row, view and seed."""
        return self._changes, self._column, self._transform

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch it is, from 0; dataloader workers hear of it."""
        self._shared[0] = epoch

    def versions(self, wanted: Sequence[tuple[int, int]]) -> list[dict[str, Any]]:
        """Return rows in given views, whatever the epoch.

        Args:
            wanted: number of the row, number of the view.
        """
        stored = self.rows[[row for row, _ in wanted]]
        items = []
        with kept_random_states():
            for place, (row, view) in enumerate(wanted):
                one = {name: [values[place]] for name, values in stored.items()}
                image = one[self._column][0].convert("RGB")
                seed_everything(self.seed, row, view)
                one[self._column] = [image if view == _UNCHANGED else self._change(image)]
                given = one if self._transform is None else self._transform(one)
                items.append({name: values[0] for name, values in given.items()})
        return items

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Show the images as they are stored, in this process."""
        before = int(self._shared[0])
        self.set_epoch(_UNCHANGED)
        try:
            yield
        finally:
            self.set_epoch(before)


def image_change(augmentation: Augmentation) -> Callable[[Image], Image]:
    """Return the transforms of torchvision that an augmentation names, one after the other.

    They draw from the random numbers of torch. What an image does not cover becomes the mean
    colour of ImageNet.

    Raises:
        ConfigError: when torchvision is not installed.
    """
    try:
        from torchvision.transforms import v2
    except ImportError:
        raise ConfigError(
            arrived="augmentation, and torchvision is not installed",
            expected="torchvision, which changes the images",
            action="pip install 'hf-transfer-plugin[vision]', or remove augment",
        ) from None
    steps: list[Any] = []
    if augmentation.flip:
        steps.append(v2.RandomHorizontalFlip())
    if augmentation.rotation or augmentation.zoom or augmentation.shift or augmentation.shear:
        shift, zoom = augmentation.shift, augmentation.zoom
        steps.append(
            v2.RandomAffine(
                degrees=augmentation.rotation,
                translate=(shift, shift),
                scale=(1 - zoom, 1 + zoom),
                shear=math.degrees(math.atan(augmentation.shear)),
                interpolation=v2.InterpolationMode.BILINEAR,
                fill=_MEAN_COLOUR,
            )
        )
    if augmentation.color:
        steps.append(v2.ColorJitter(*[augmentation.color] * 3))
    if augmentation.grayscale:
        steps.append(v2.RandomGrayscale(augmentation.grayscale))
    change: Callable[[Image], Image] = v2.Compose(steps)
    return change


def _transform_of(dataset: Any) -> Any:
    """Return the transform that a dataset has; None without one."""
    import datasets

    kind = type(dataset).__name__
    if isinstance(dataset, datasets.Dataset):
        shown = dataset.format
        if shown["type"] in (None, "custom"):
            return shown["format_kwargs"].get("transform")
        kind = f"a Dataset in the format {shown['type']!r}"
    raise DataError(
        arrived=f"{kind}, to be augmented",
        expected="a datasets.Dataset with images, with or without set_transform",
        action="load the rows with `datasets`; what turns images into tensors belongs into "
        "set_transform, which runs after the augmentation",
    )


def _image_column(rows: Dataset, column: str | None) -> str:
    from datasets import Image

    shown = rows.format["columns"]
    images = [name for name in shown if isinstance(rows.features[name], Image)]
    if column is None and len(images) == 1:
        return str(images[0])
    if column in images:
        return str(column)
    raise DataError(
        arrived=f"image columns {', '.join(images) or 'none'}, of the columns {', '.join(shown)}"
        + (f"; column={column!r}" if column is not None else ""),
        expected="one column of the type datasets.Image",
        action="name it with column=..., or cast it: dataset.cast_column(name, datasets.Image())",
    )
