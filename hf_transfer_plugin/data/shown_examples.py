"""Rows of the test split as a report shows them: the beginning of a text, or a small picture."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hf_transfer_plugin.data.loading import TargetData
from hf_transfer_plugin.records import ShownExample

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["shown_examples"]

_CHARACTERS = 300
_SIDE = 160
_BACKGROUND = "white"


def shown_examples(data: TargetData, numbers: Sequence[int]) -> tuple[ShownExample, ...]:
    """Return test examples, texts cut to 300 characters and images to 160 pixels.

    Args:
        data: checked data.
        numbers: rows of the test split, from 0.
    """
    rows = data.splits["test"].select(list(numbers))
    if data.task == "image-classification":
        pictures = [_picture(row[data.inputs[0]]) for row in rows]
        return tuple(
            ShownExample(number, picture=picture)
            for number, picture in zip(numbers, pictures, strict=True)
        )
    return tuple(
        ShownExample(number, text=_beginning(" / ".join(row[name] for name in data.inputs)))
        for number, row in zip(numbers, rows, strict=True)
    )


def _beginning(text: str) -> str:
    words = " ".join(text[: 4 * _CHARACTERS].split())
    cut = len(words) > _CHARACTERS or len(text) > 4 * _CHARACTERS
    return words[:_CHARACTERS].rstrip() + "…" if cut else words


def _picture(image: Image) -> str:
    """Return a JPEG in base64; what is transparent becomes white."""
    from PIL import Image as Images

    small = image.convert("RGBA")
    small.thumbnail((_SIDE, _SIDE))
    flat = Images.new("RGB", small.size, _BACKGROUND)
    flat.paste(small, mask=small.getchannel("A"))
    held = io.BytesIO()
    flat.save(held, "JPEG", quality=85, optimize=True)
    return base64.b64encode(held.getvalue()).decode("ascii")
