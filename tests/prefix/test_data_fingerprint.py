"""The fingerprint of data: the same for the same data in any process, another for any change."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from datasets import Dataset, Image, concatenate_datasets, load_from_disk
from transformers import DataCollatorWithPadding, default_data_collator

from hf_transfer_plugin.prefix.arrow_digest import digest_dataset
from hf_transfer_plugin.prefix.code_digest import digest_code
from hf_transfer_plugin.prefix.row_source import RowSource
from tests.prefix.fingerprint_script import CASES
from tests.prefix.row_cases import encoded, flipped, named, padded, pictures, tokenizer
from tests.tiny_runs import offline_cache

ROOT = Path(__file__).parents[2]
MANY = 300
UNSEEN = 7  # a row that is none of the rows whose tensors are looked at


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offline_cache(monkeypatch, tmp_path)


def _print(text: Dataset | dict[str, Any], collate: Any = None) -> str:
    data = text if isinstance(text, Dataset) else Dataset.from_dict(text)
    return RowSource(data, collate or DataCollatorWithPadding(tokenizer())).fingerprint()


def _run(*words: str, folder: Path) -> list[str]:
    found = subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}", "PYTHONHASHSEED": "5"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    return found.stdout.split()


def test_another_process_finds_the_same(tmp_path: Path) -> None:
    here = [make(tmp_path).fingerprint() for make in CASES.values()]
    assert len(set(here)) == len(CASES) == 5
    assert _run("-m", "tests.prefix.fingerprint_script", str(tmp_path), folder=tmp_path) == here


def test_use_does_not_change_it(tmp_path: Path) -> None:
    for make in CASES.values():
        source = make(tmp_path)
        before, state = source.fingerprint(), random.getstate()
        source.batch(range(4))
        _ = source.rules
        tokenizer()(["a film"], padding="max_length", truncation=True, max_length=5)
        assert source.fingerprint() == before
        assert random.getstate() == state


def _parquet(folder: Path) -> Dataset:
    Dataset.from_dict(encoded(MANY)).to_parquet(folder / "rows.parquet")
    return Dataset.from_parquet(str(folder / "rows.parquet"))


def _saved(folder: Path) -> Dataset:
    Dataset.from_dict(encoded(MANY)).save_to_disk(str(folder / "rows"))
    return load_from_disk(str(folder / "rows"))


def _twice_reversed(_: Path) -> Dataset:
    back = range(MANY - 1, -1, -1)
    return Dataset.from_dict(encoded(MANY)).select(back).select(back)


def _in_parts(_: Path) -> Dataset:
    whole = Dataset.from_dict(encoded(MANY))
    return concatenate_datasets([whole.select(range(0, 11)), whole.select(range(11, MANY))])


SAME: dict[str, Callable[[Path], Dataset]] = {
    "again": lambda _: Dataset.from_dict(encoded(MANY)),
    "parquet": _parquet,
    "saved": _saved,
    "all selected": lambda _: Dataset.from_dict(encoded(MANY)).select(range(MANY)),
    "twice reversed": _twice_reversed,
    "in parts": _in_parts,
    "part of more": lambda _: concatenate_datasets(
        [Dataset.from_dict(encoded(5)), Dataset.from_dict(encoded(MANY))]
    ).select(range(5, MANY + 5)),
    "columns in another order": lambda _: Dataset.from_dict(dict(reversed(encoded(MANY).items()))),
}


@pytest.mark.parametrize("name", SAME)
def test_the_same_content_is_the_same(name: str, tmp_path: Path) -> None:
    assert len(SAME) == 8
    assert _print(SAME[name](tmp_path)) == _print(encoded(MANY))


def _other(name: str, row: int, value: Any) -> dict[str, Any]:
    data = encoded(MANY)
    data[name] = [*data[name]]
    assert data[name][row] != value
    data[name][row] = value
    return data


def _swapped() -> Dataset:
    order = list(range(MANY))
    order[UNSEEN], order[UNSEEN + 1] = UNSEEN + 1, UNSEEN
    return Dataset.from_dict(encoded(MANY)).select(order)


def _scaled(factor: int) -> Dataset:
    def transform(rows: dict[str, Any]) -> dict[str, Any]:
        rare = [label * factor if len(ids) == 40 else label for ids, label in _pairs(rows)]
        return {**rows, "labels": rare}

    return Dataset.from_dict(encoded(MANY)).with_transform(transform)


def _pairs(rows: dict[str, Any]) -> Any:
    return zip(rows["input_ids"], rows["labels"], strict=True)


CHANGES: dict[str, Callable[[], str]] = {
    "a token": lambda: _print(_other("input_ids", UNSEEN, [101, 102])),
    "a label": lambda: _print(_other("labels", UNSEEN, 7)),
    "an order": lambda: _print(_swapped()),
    "a row less": lambda: _print(Dataset.from_dict(encoded(MANY)).select(range(MANY - 1))),
    "a column more": lambda: _print({**encoded(MANY), "weights": [1.0] * MANY}),
    "another type": lambda: _print({**encoded(MANY), "labels": [i % 3 / 1 for i in range(MANY)]}),
    "columns shown": lambda: _print(
        Dataset.from_dict(encoded(MANY)).with_format(None, columns=["input_ids", "labels"])
    ),
    "a format": lambda: _print(Dataset.from_dict(encoded(MANY)).with_format("torch")),
    "a collator's setting": lambda: _print(
        encoded(MANY), DataCollatorWithPadding(tokenizer(), pad_to_multiple_of=2)
    ),
    "padding on the left": lambda: _print(
        encoded(MANY), DataCollatorWithPadding(tokenizer("left"))
    ),
    "another collator": lambda: _print(encoded(MANY), _collate),
    "a transform": lambda: _print(_scaled(1)),
    "what a transform holds": lambda: _print(_scaled(2)),
}


def _collate(rows: list[Any]) -> Any:
    return DataCollatorWithPadding(tokenizer())(rows)


def test_each_change_changes_it() -> None:
    probes = RowSource(Dataset.from_dict(encoded(MANY)), default_data_collator).spread(32)
    assert not {UNSEEN, UNSEEN + 1} & set(probes)
    found = {"nothing": _print(encoded(MANY))}
    found |= {name: change() for name, change in CHANGES.items()}
    assert len(set(found.values())) == len(found) == 14, found


def test_views_and_their_seed_count() -> None:
    prints = [flipped(2), flipped(3), flipped(2, seed=1)]
    assert len({source.fingerprint() for source in prints}) == 3
    assert flipped(2).fingerprint() == flipped(2).fingerprint()


def test_every_row_of_another_dataset_counts() -> None:
    prints = {named(row).fingerprint() for row in (None, 0, 13, 77, 100)}
    assert len(prints) == 5


def test_pictures_in_files_count_by_their_files(tmp_path: Path) -> None:
    source = pictures(tmp_path)
    before = source.fingerprint()
    row = 7
    assert row not in source.spread(32)[:5]
    path = source.dataset.with_format(None).cast_column("image", Image(decode=False))[row]["image"]
    assert path["bytes"] is None
    status = os.stat(path["path"])
    os.utime(path["path"], ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert pictures(tmp_path).fingerprint() != before
    os.utime(path["path"], ns=(status.st_atime_ns, status.st_mtime_ns))
    assert pictures(tmp_path).fingerprint() == before


MODULE = """
from row_steps import step

def transform(rows):
    return {"x": [[step(x), float(x == 7)] for x in rows["x"]], "labels": rows["labels"]}
"""
STEPS = "def step(x):\n    return float(x)\n"
SCRIPT = f"""
import row_transform, sys
from datasets import Dataset
from transformers import default_data_collator
from hf_transfer_plugin.prefix.row_source import RowSource

data = Dataset.from_dict({{"x": list(range({MANY})), "labels": [0] * {MANY}}})
source = RowSource(data.with_transform(row_transform.transform), default_data_collator)
sys.stdout.write(source.fingerprint())
"""


def test_code_edited_in_another_module_changes_it(tmp_path: Path) -> None:
    def edited(module: str = MODULE, steps: str = STEPS) -> str:
        (tmp_path / "row_transform.py").write_text(module, encoding="utf-8")
        (tmp_path / "row_steps.py").write_text(steps, encoding="utf-8")
        (found,) = _run("-c", SCRIPT, folder=tmp_path)
        return found

    first = edited()
    assert edited() == first
    # Of these the first shows in a row whose tensors are not looked at, the second in all.
    one_row = edited(module=MODULE.replace("x == 7", "x == 8"))
    all_rows = edited(steps=STEPS.replace("float(x)", "2.0 * x"))
    assert len({first, one_row, all_rows}) == 3


def test_what_cannot_be_pickled_counts_by_its_type() -> None:
    class Stubborn:
        def __reduce_ex__(self, protocol: Any) -> Any:
            raise TypeError("no")

    class Other(Stubborn):
        pass

    assert digest_code(Stubborn()) == digest_code(Stubborn())
    assert digest_code(Stubborn()) != digest_code(Other())


# name -> (values, the same with one changed, type)
COLUMNS: dict[str, tuple[list[Any], list[Any], Any]] = {
    "int8": ([1, 2, None, 4], [1, 3, None, 4], pa.int8()),
    "null moved": ([1, None, 2, 2], [1, 2, None, 2], pa.int64()),
    "float": ([0.5, None, float("nan"), 1], [0.5, None, 0.0, 1], pa.float32()),
    "half": ([0.5, 1, None, 2], [0.5, 1, None, 3], pa.float16()),
    "bool": ([True, None, False, True], [True, None, True, True], pa.bool_()),
    "text": (["a", "bc", None, ""], ["ab", "c", None, ""], pa.string()),
    "large text": (["a", "bc", None, "d"], ["a", "bc", "", "d"], pa.large_string()),
    "bytes": ([b"a", b"\0", None, b""], [b"a", b"\1", None, b""], pa.binary()),
    "list": ([[1, 2], [], None, [3]], [[1], [2], None, [3]], pa.list_(pa.int32())),
    "null in list": ([[1, None], [], None, [3]], [[None, 1], [], None, [3]], pa.list_(pa.int32())),
    "large list": ([[1], [], None, [3]], [[1], None, [], [3]], pa.large_list(pa.int16())),
    "fixed list": ([[1, 2], None, [3, 4]], [[1, 2], None, [3, 5]], pa.list_(pa.int32(), 2)),
    "nested": ([[["a"], []], None, []], [[["a"]], None, []], pa.list_(pa.list_(pa.string()))),
    "struct": (
        [{"a": 1, "b": "x"}, None, {"a": None, "b": "y"}],
        [{"a": 1, "b": "x"}, {"a": None, "b": None}, {"a": None, "b": "y"}],
        pa.struct({"a": pa.int64(), "b": pa.string()}),
    ),
    "picture": (
        [{"bytes": b"x", "path": None}, {"bytes": None, "path": "no-file"}],
        [{"bytes": b"x", "path": None}, {"bytes": None, "path": "no-such-file"}],
        pa.struct({"bytes": pa.binary(), "path": pa.string()}),
    ),
    "time": ([datetime(2020, 1, 1), None], [datetime(2020, 1, 2), None], pa.timestamp("us")),
    "date": ([datetime(2020, 1, 1).date(), None], [datetime(2021, 1, 1).date(), None], pa.date32()),
    "decimal": (["1.50", None], ["1.51", None], pa.decimal128(10, 2)),
}


def _digest(*parts: pa.Array) -> str:
    digest = blake2b()
    digest_dataset(digest, Dataset(pa.table({"x": pa.chunked_array(parts)})))
    return digest.hexdigest()


@pytest.mark.parametrize("name", COLUMNS)
def test_columns_count_by_content_and_not_by_how_they_are_stored(name: str) -> None:
    assert len(COLUMNS) == 18
    values, other, kind = COLUMNS[name]
    if pa.types.is_decimal(kind):
        whole, changed = (pa.array(v, pa.string()).cast(kind) for v in (values, other))
    else:
        whole, changed = pa.array(values, kind), pa.array(other, kind)
    expected = _digest(whole)
    assert _digest(whole[:1], whole[1:]) == expected
    longer = pa.concat_arrays([whole, changed, whole])
    assert _digest(longer.slice(2 * len(whole))) == expected
    assert _digest(longer.slice(len(whole), len(whole))) == _digest(changed) != expected


def test_what_lies_under_a_null_does_not_count() -> None:
    plain = pa.array([1, None, 3], pa.int64())
    mask = plain.buffers()[0]
    dirty = pa.Array.from_buffers(pa.int64(), 3, [mask, pa.array([1, 99, 3]).buffers()[1]])
    assert dirty.equals(plain) and _digest(dirty) == _digest(plain)


def test_the_tokenizer_of_a_collator_counts_by_content(tmp_path: Path) -> None:
    tokenizer().save_pretrained(tmp_path / "moved")
    again = tokenizer().__class__.from_pretrained(tmp_path / "moved", local_files_only=True)
    assert digest_code(DataCollatorWithPadding(again)) == digest_code(padded().collate)
    again.add_tokens(["unheard"])
    assert digest_code(DataCollatorWithPadding(again)) != digest_code(padded().collate)
