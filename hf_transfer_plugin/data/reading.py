"""A `DataSpec` to raw splits: packaged sample, Hub name, folder or file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_transfer_plugin.errors import DataError
from hf_transfer_plugin.records import DataSpec
from hf_transfer_plugin.redaction import redact
from hf_transfer_plugin.samples import is_sample, sample_data

if TYPE_CHECKING:
    from datasets import DatasetDict

__all__ = ["read_splits", "without_bars"]

_BUILDERS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".parquet": "parquet",
}
_KINDS = "a Hub name, an image folder, a csv, json or parquet file or folder, or sample:NAME"


def read_splits(spec: DataSpec) -> DatasetDict:
    """Read whatever splits the data have; nothing is checked yet.

    Raises:
        DataError: when there is no such data, it cannot be reached or cannot be parsed.
    """
    if is_sample(spec.path):
        return sample_data(spec.path)
    path = Path(spec.path).expanduser()
    if path.is_file():
        return _read_file(path)
    if path.is_dir():
        return _load(spec, str(path))
    if spec.path.startswith((".", "/", "~")) or path.suffix in _BUILDERS:
        raise DataError(
            arrived=f"no such file or folder: {spec.path}",
            expected=_KINDS,
            action="correct data.path (it is read from the current folder)",
        )
    return _load(spec, spec.path, name=spec.name, revision=spec.revision)


def _read_file(path: Path) -> DatasetDict:
    builder = _BUILDERS.get(path.suffix)
    if builder is None:
        raise DataError(
            arrived=f"a file of an unknown kind: {path}",
            expected="one of " + ", ".join(_BUILDERS),
            action="convert it, or name a folder",
        )
    options: dict[str, Any] = {"delimiter": "\t"} if path.suffix == ".tsv" else {}
    return _load(DataSpec(str(path)), builder, data_files={"train": str(path)}, **options)


def _load(spec: DataSpec, path: str, **options: Any) -> DatasetDict:
    import datasets
    from datasets.exceptions import DatasetGenerationError
    from huggingface_hub.errors import HfHubHTTPError
    from pyarrow import ArrowInvalid

    given = {name: value for name, value in options.items() if value is not None}
    try:
        with without_bars():
            return datasets.load_dataset(path, **given)
    except (OSError, HfHubHTTPError) as error:
        # Not found, no network, gated, wrong token: the message says which.
        arrived = f"cannot read the data {spec.path}: {_first_line(error)}"
        action = "check spelling, network and HF_HUB_OFFLINE; for private data: hf auth login"
        if Path(spec.path).expanduser().exists():
            action = "put the data files there, or correct data.path"
    except (ValueError, StopIteration, RuntimeError, DatasetGenerationError, ArrowInvalid) as error:
        _fail_on_empty_tables(Path(spec.path).expanduser())
        arrived = f"cannot parse the data {spec.path}: {_reason(error)}"
        action = "mend the file; a folder holds files of one kind with the same columns"
    raise DataError(arrived, _KINDS, action)


@contextmanager
def without_bars() -> Iterator[None]:
    """Keep the progress bars of `datasets` off the terminal."""
    import datasets

    shown = datasets.utils.logging.is_progress_bar_enabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            datasets.enable_progress_bars()


def _fail_on_empty_tables(path: Path) -> None:
    """Say so where a table without rows is what made the reader stumble."""
    from pyarrow import ArrowInvalid, parquet

    for file in sorted(path.rglob("*.parquet")):
        try:
            rows = parquet.read_metadata(file).num_rows
        except (ArrowInvalid, OSError):
            continue
        if rows == 0:
            raise DataError(
                arrived=f"the split {file.stem} is empty: {file} holds no row",
                expected="at least one row of each class",
                action="check the file, or remove it to have the split held out of train",
            ) from None


def _reason(error: BaseException) -> str:
    from datasets.table import CastError

    cause = error.__cause__ or error
    first = _first_line(cause)
    if isinstance(error, StopIteration) or first.endswith(("corresponds to no data!", "got 0")):
        return "it holds no rows"
    if isinstance(cause, CastError):
        found, wanted = cause.table_column_names, cause.requested_column_names
        return f"a file has the columns {', '.join(found)}, the one before {', '.join(wanted)}"
    return first


def _first_line(error: BaseException) -> str:
    lines = redact(str(error)).strip().splitlines()
    return lines[0] if lines else type(error).__name__
