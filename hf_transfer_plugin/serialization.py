"""Frozen dataclasses to JSON files and back: written atomically, read strictly."""

from __future__ import annotations

import json
import math
import os
import re
import tempfile
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, get_args, get_origin

from cattrs import Converter
from cattrs.errors import BaseValidationError
from cattrs.v import format_exception, transform_error

from hf_transfer_plugin.errors import RecordError

__all__ = ["Record", "cannot_write", "converter", "write_atomic"]

Json = dict[str, Any]
# In JSON no line ends within a text, so this is the start of a list.
_NUMBERS = re.compile(r'\[\n([^][{}"]+)\]')
_KINDS = {str: "a text", int: "a whole number", bool: "true or false"}


def _float_to_json(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _float_from_json(value: Any, _: type) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | None):
        raise ValueError(f"expected a number, got {value!r}")
    return math.nan if value is None else float(value)


def _exactly(kind: type, value: Any, _: type) -> Any:
    if type(value) is not kind:
        raise ValueError(f"expected {_KINDS[kind]}, got {value!r}")
    return value


def _is_literal(kind: Any) -> bool:
    return get_origin(kind) is Literal


def _one_of(value: Any, kind: Any) -> Any:
    choices = get_args(kind)
    if value not in choices:
        raise ValueError(f"expected {' or '.join(map(repr, choices))}, got {value!r}")
    return value


@lru_cache(maxsize=1)
def converter() -> Converter:
    """Return the converter of all records: unknown fields and wrong types are errors."""
    made = Converter(forbid_extra_keys=True)
    made.register_unstructure_hook(float, _float_to_json)
    made.register_structure_hook(float, _float_from_json)
    made.register_structure_hook_func(_is_literal, _one_of)
    for kind in _KINDS:
        made.register_structure_hook(kind, partial(_exactly, kind))
    return made


def write_atomic(path: str | os.PathLike[str], content: str | bytes) -> Path:
    """Write a whole file or nothing: a reader never sees half of it.

    Args:
        path: the file to write; its folder is made when missing.
        content: text (written as UTF-8) or bytes.

    Raises:
        RecordError: when the folder cannot be written.
    """
    path = Path(path)
    data = content.encode("utf-8") if isinstance(content, str) else content
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise cannot_write(str(path), error) from None
    return path


def cannot_write(what: str, error: OSError) -> RecordError:
    """Return the error for something of the run folder that could not be written."""
    return RecordError(
        arrived=f"cannot write {what}: {error.strerror or error}",
        expected="a folder that this user may write, on a disk with room",
        action="choose another run folder (run_folder=...) or mend its permissions",
    )


class Record:
    """Base of the frozen dataclasses that travel along the line, one JSON file each."""

    file_name: ClassVar[str] = ""

    def to_json(self) -> Json:
        """Return plain dicts, lists, strings and numbers; a float that is not finite is null."""
        return converter().unstructure(self)  # type: ignore[no-any-return]

    def to_text(self) -> str:
        """Return its file: a line for each value, and one for each list of numbers."""
        text = json.dumps(self.to_json(), indent=2, ensure_ascii=False, allow_nan=False)
        return _NUMBERS.sub(lambda found: f"[{' '.join(found[1].split())}]", text) + "\n"

    @classmethod
    def from_json(cls, data: Json, origin: str = "the given data") -> Self:
        """Build the record from what `to_json` returned.

        Raises:
            RecordError: naming each field that is missing, unknown or of the wrong type.
        """
        try:
            return converter().structure(data, cls)
        except (BaseValidationError, TypeError, ValueError, AttributeError) as error:
            raise RecordError(
                arrived=f"{origin} is no {cls.__name__}: {_problems(error)}",
                expected=f"the fields of {cls.__name__} as this version writes them",
                action="delete the file and run that step again",
            ) from None

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the record to a JSON file, whole or not at all."""
        return write_atomic(path, self.to_text())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read the record from a JSON file.

        Raises:
            RecordError: when the file is missing, is not JSON or does not fit.
        """
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise RecordError(
                arrived=f"cannot read {path}: {error.strerror or error}",
                expected=f"the JSON of a {cls.__name__}, as a finished step of a run writes it",
                action="run the step that writes it (see hf-tl --help), or name another run folder",
            ) from None
        except ValueError as error:
            raise RecordError(
                arrived=f"{path} is no JSON: {error}",
                expected=f"the JSON of a {cls.__name__}",
                action="delete the file and run the step that writes it again (see hf-tl --help)",
            ) from None
        return cls.from_json(data, origin=str(path))

    @classmethod
    def load_usable(cls, path: str | os.PathLike[str]) -> Self | None:
        """Read the record; None from a file that is missing, damaged or of another version."""
        try:
            return cls.load(path)
        except RecordError:
            return None


def _problems(error: Exception) -> str:
    """Return `field: what is wrong` for each field."""
    if not isinstance(error, BaseValidationError):
        return str(error)
    found = (each.rpartition(" @ $") for each in transform_error(error, format_exception=_problem))
    return "; ".join(f"{place.lstrip('.')}: {text}".lstrip(": ") for text, _, place in found)


def _problem(error: BaseException, kind: type | None) -> str:
    # The hooks above name the value; cattrs names the type alone.
    text = str(error)
    wrong = re.match(r"'(\w+)' object (has no attribute|is not iterable)", text)
    if wrong:
        return f"expected {'a list' if 'iterable' in text else 'a mapping'}, got {wrong[1]}"
    return text if isinstance(error, ValueError) else format_exception(error, kind)
