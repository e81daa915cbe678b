"""How training images are changed from epoch to epoch, as a config says it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from hf_transfer_plugin.errors import ConfigError, did_you_mean, require
from hf_transfer_plugin.serialization import Record

__all__ = ["AUGMENTATIONS", "Augmentation"]

#: Name -> settings. "article": Sarkar, "A Comprehensive Hands-on Guide to Transfer Learning", 2018.
AUGMENTATIONS: Mapping[str, Mapping[str, float | bool]] = {
    "article": {"rotation": 50, "zoom": 0.3, "shift": 0.2, "shear": 0.2, "flip": True},
    "light": {"rotation": 10, "zoom": 0.1, "shift": 0.1, "flip": True},
}
_MOST = {"rotation": 180.0, "zoom": 0.9, "shift": 1.0, "shear": 1.0, "color": 1.0, "grayscale": 1.0}


@dataclass(frozen=True)
class Augmentation(Record):
    """Random changes of training images; each number is the most that is drawn, 0 draws none.

    Attributes:
        rotation: degrees, either way.
        zoom: share: sides become 1 - zoom to 1 + zoom times as long.
        shift: share of width and of height by which an image moves, either way.
        shear: share of the height by which the upper edge slides along the lower one, either way.
        flip: mirror every other image, left to right.
        color: share by which brightness, contrast and saturation change, each either way.
        grayscale: share of images that lose their colours.
        views: different versions of each image; epochs take turns with them, so what frozen
            layers give for them can be kept. None: a new one in each epoch.

    Examples:
        >>> Augmentation.from_config("article").rotation
        50
        >>> Augmentation.from_config({"name": "light", "zoom": 0.2, "views": 4}).zoom
        0.2
    """

    rotation: float = 0.0
    zoom: float = 0.0
    shift: float = 0.0
    shear: float = 0.0
    flip: bool = False
    color: float = 0.0
    grayscale: float = 0.0
    views: int | None = None

    @classmethod
    def from_config(cls, config: str | Mapping[str, Any]) -> Self:
        """Build an augmentation from a name, from settings, or from a name and settings.

        Args:
            config: a key of `AUGMENTATIONS`; attributes of this class; or both, such as
                `{name: article, views: 4}`.

        Raises:
            ConfigError: for an unknown name or key, a value out of its range, or no change at all.
        """
        given = {"name": config} if isinstance(config, str) else config
        known = [each.name for each in fields(cls)]
        kinds = ", ".join(AUGMENTATIONS)
        if not isinstance(given, Mapping):
            raise ConfigError(
                arrived=f"augment: {config!r}",
                expected=f"a name ({kinds}), or a mapping such as {{rotation: 20, flip: true}}",
                action="give one of these, or remove augment",
            )
        settings: dict[str, Any] = dict(given)
        name = settings.pop("name", None)
        if name is not None:
            hint = did_you_mean(str(name), AUGMENTATIONS)
            if not isinstance(name, str) or name not in AUGMENTATIONS:
                raise ConfigError(
                    arrived=f"unknown augmentation {name!r}{hint}",
                    expected=f"one of {kinds}, or settings of one's own: {', '.join(known)}",
                    action="correct the name, or give settings",
                )
            settings = {**AUGMENTATIONS[name], **settings}
        for key in settings:
            if key not in known:
                raise ConfigError(
                    arrived=f"unknown key augment.{key}{did_you_mean(str(key), known)}",
                    expected="one of " + ", ".join(("name", *known)),
                    action="correct or remove the key",
                )
        return cls(**settings).checked()

    def checked(self) -> Self:
        """Return the augmentation, once its values are found to fit.

        Raises:
            ConfigError: naming what does not fit.
        """
        for key, most in _MOST.items():
            value = getattr(self, key)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            fits = number and math.isfinite(value) and 0 <= value <= most
            unit = " degrees" if key == "rotation" else ""
            require(fits, f"augment.{key}", repr(value), f"a number from 0 to {most:g}{unit}")
        require(isinstance(self.flip, bool), "augment.flip", repr(self.flip), "true or false")
        some = self.views is None or (type(self.views) is int and self.views > 0)
        require(some, "augment.views", repr(self.views), "a whole number from 1 up, or none")
        if not (self.flip or any(getattr(self, key) for key in _MOST)):
            raise ConfigError(
                arrived="augment without a change",
                expected="at least one of flip, " + ", ".join(_MOST),
                action="give one, or a name: " + ", ".join(AUGMENTATIONS) + "; or remove augment",
            )
        return self

    @property
    def described(self) -> str:
        """Return what is changed, by how much, in words."""
        words = {
            "rotation": f"rotation up to {self.rotation:g} degrees",
            "zoom": f"zoom up to {100 * self.zoom:g} %",
            "shift": f"shift up to {100 * self.shift:g} %",
            "shear": f"shear up to {100 * self.shear:g} %",
            "flip": "mirrored or not",
            "color": f"colours up to {100 * self.color:g} %",
            "grayscale": f"{100 * self.grayscale:g} % without colour",
        }
        changes = ", ".join(text for key, text in words.items() if getattr(self, key))
        if self.views is None:
            return f"{changes}; a new view of each image in each epoch"
        turns = "one view" if self.views == 1 else f"{self.views} views"
        return f"{changes}; {turns} of each image" + ("" if self.views == 1 else ", in turn")
