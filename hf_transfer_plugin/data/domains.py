"""The rows of a plan: those of one domain, or labelled and unlabelled rows of two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING

from hf_transfer_plugin.data.domain_pairs import UNLABELLED
from hf_transfer_plugin.data.loading import TargetData, load_data
from hf_transfer_plugin.data.reading import without_bars
from hf_transfer_plugin.data.source_loading import load_source
from hf_transfer_plugin.data.splitting import ROLES
from hf_transfer_plugin.data.unlabelled_loading import load_unlabelled
from hf_transfer_plugin.domain_kinds import Labels
from hf_transfer_plugin.errors import DataError
from hf_transfer_plugin.records import DataSpec, DataSummary, Plan, Task

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

__all__ = ["in_order", "load_domains", "plan_data", "train_items"]


def plan_data(plan: Plan) -> TargetData:
    """Read what a plan trains, chooses and tests on.

    Raises:
        DataError: for data that cannot be learned from, or domains with other classes.
    """
    chooses = plan.choose_by is not None
    return load_domains(plan.source, plan.data, plan.task, plan.labels, label_free=chooses)


def train_items(plan: Plan, data: TargetData) -> int:
    """Return the length of a plan's training set: rows, or pairs of rows."""
    rows = len(data.splits["train"])
    return max(rows, len(data.splits["unlabelled"])) if plan.pairs_domains else rows


@without_bars()
def load_domains(
    source: DataSpec | None, target: DataSpec, task: Task, labels: Labels, *, label_free: bool
) -> TargetData:
    """Read a labelled source beside a target, as one set of data that is tested on the target.

    Args:
        source: where the labelled rows lie; without one the target is read alone.
        target: where the rows of the target lie.
        task: of both.
        labels: "target": the target is read alone, as `load_data` does. "source": of the target
            the labels of test alone are read. "both": the target's rows of train are labelled, too.
        label_free: validation rows are those of the source, and "choice" is there.

    Returns:
        Data with the splits
        - "train": the labelled rows;
        - "validation": labelled rows of the source (label_free) or of the target;
        - "test": of the target;
        - "unlabelled": all rows of train of the target, with the label -100;
        - "choice": the validation rows of the source with those of the target dealt out evenly
          among them, which have the label -100.

    Raises:
        DataError: for data that cannot be learned from, or domains with other classes.
    """
    from datasets import DatasetDict, concatenate_datasets

    if labels == "target" or source is None:
        return load_data(target, task)
    spec = replace(source, image_size=target.image_size, max_length=target.max_length)
    ours = load_source(spec, task)
    if labels == "source":
        theirs = load_unlabelled(target, task, ours.class_names)
    else:
        theirs = load_data(target, task)
    ours = in_order(ours, _common_classes(ours, theirs))
    whole = theirs
    if labels == "both" and target.train_examples is not None:
        whole = load_data(replace(target, train_examples=None), task)
    train, held_out = (_like(ours.splits[role], ours, theirs) for role in ("train", "validation"))
    if labels == "both":
        train = concatenate_datasets([train, _plain(theirs.splits["train"], theirs)])
    splits = DatasetDict(
        train=train,
        validation=held_out if label_free else theirs.splits["validation"],
        test=theirs.splits["test"],
        unlabelled=_without_labels(whole.splits["train"], whole),
    )
    if label_free:
        splits["choice"] = _dealt(held_out, _without_labels(theirs.splits["validation"], theirs))
    return replace(
        theirs,
        splits=splits,
        summary=_summary(ours, theirs, splits, labels),
        source_rows=len(ours.splits["train"]),
    )


def in_order(data: TargetData, names: Sequence[str]) -> TargetData:
    """Return data whose class numbers are those of `names`, which holds all of its classes."""
    from datasets import DatasetDict

    if data.class_names == tuple(names):
        return data
    place = {index: list(names).index(name) for index, name in enumerate(data.class_names)}
    place[UNLABELLED] = UNLABELLED
    splits = {
        role: rows.remove_columns("label").add_column("label", [place[y] for y in rows["label"]])
        for role, rows in data.splits.items()
    }
    counts = {
        role: tuple(splits[role]["label"].count(each) for each in range(len(names)))
        for role in data.summary.counts
    }
    summary = replace(data.summary, class_names=tuple(names), counts=counts)
    return replace(data, splits=DatasetDict(splits), summary=summary)


def _common_classes(source: TargetData, target: TargetData) -> tuple[str, ...]:
    """Return the class names of both, in the target's order."""
    ours, theirs = source.class_names, target.class_names
    if set(ours) == set(theirs):
        return theirs
    raise DataError(
        arrived=f"source_data with the classes {_listed(ours)}, and data with the classes "
        f"{_listed(theirs)}",
        expected="the same classes by the same names in both domains",
        action="rename the classes or drop the rows of others; if these are no classes, name the "
        "label columns (source_data.label, data.label)",
    )


def _listed(names: Sequence[str], most: int = 12) -> str:
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(repr, names[:most])) + rest


def _like(rows: Dataset, source: TargetData, target: TargetData) -> Dataset:
    """Return source rows with the column names of the target."""
    if len(source.inputs) != len(target.inputs):
        raise DataError(
            arrived=f"source_data with the inputs {', '.join(source.inputs)}, and data with "
            + ", ".join(target.inputs),
            expected="a text, or a pair of texts, in both domains",
            action="set source_data.text_pair or data.text_pair",
        )
    rows = _plain(rows, source)
    new = {a: b for a, b in zip(source.inputs, target.inputs, strict=True) if a != b}
    return rows.rename_columns(new) if new else rows


def _plain(rows: Dataset, data: TargetData) -> Dataset:
    """Return rows in types that can stand below one another."""
    from datasets import Features, Image, Value

    kind = Image() if data.task == "image-classification" else Value("string")
    wanted = {**dict.fromkeys(data.inputs, kind), "label": Value("int64")}
    return rows.select_columns(list(wanted)).cast(Features(wanted))


def _without_labels(rows: Dataset, data: TargetData) -> Dataset:
    bare = rows.remove_columns("label").add_column("label", [UNLABELLED] * len(rows))
    return _plain(bare, data)


def _dealt(first: Dataset, second: Dataset) -> Dataset:
    """Return the rows of both, each in its order and evenly spread.

    So each batch of an evaluation has labelled rows, without which its loss would be no number.
    """
    from datasets import concatenate_datasets

    places = [
        ((index + 0.5) / len(rows), side)
        for side, rows in enumerate((first, second))
        for index in range(len(rows))
    ]
    order = sorted(range(len(places)), key=places.__getitem__)
    return concatenate_datasets([first, second]).select(order)


def _summary(
    source: TargetData, target: TargetData, splits: DatasetDict, labels: Labels
) -> DataSummary:
    """Say what the rows are, and where they come from."""
    ours, theirs = source.summary, target.summary
    choice = "choice" in splits
    digest = sha256(f"{ours.fingerprint} {theirs.fingerprint} {labels} {choice}".encode())
    classes = range(len(theirs.class_names))
    found = {role: list(splits[role]["label"]) for role in ROLES}
    origin = "source_data" if labels == "source" else "source_data and data"
    told = (
        f"labelled rows of train come from {origin}; {len(splits['unlabelled'])} rows of train of "
        "data are read without their labels",
        *(f"source_data: {warning}" for warning in ours.warnings),
    )
    return replace(
        theirs,
        fingerprint=digest.hexdigest()[:16],
        counts={role: tuple(map(labels.count, classes)) for role, labels in found.items()},
        warnings=theirs.warnings + told,
    )
