"""A text that changes when anything does that the model would read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hf_transfer_plugin.data.augmented_images import AugmentedImages
from hf_transfer_plugin.data.domain_pairs import DomainRows
from hf_transfer_plugin.prefix.arrow_digest import digest_dataset
from hf_transfer_plugin.prefix.code_digest import digest_code, is_readable
from hf_transfer_plugin.random_states import kept_random_states
from hf_transfer_plugin.terminal import track

if TYPE_CHECKING:
    from hf_transfer_plugin.prefix.row_source import RowSource

__all__ = ["data_fingerprint"]

_PROBES = 32
_BATCH = 32


def data_fingerprint(source: RowSource) -> str:
    """Digest what a source's rows are made of.

    A `datasets.Dataset` counts by its stored content, its transform and collator, and the tensors
    of spread rows; so do two of them as the domains of pairs, and one that is augmented. Of
    another dataset only the tensors of all rows tell.
    """
    digest = hashlib.blake2b(digest_size=16)
    _add(digest, "rows", source.examples, source.views)
    if source.views > 1:
        _add(digest, "seed", source.seed)
    _add(digest, "collator", digest_code(source.collate))
    with kept_random_states():
        dataset = source.dataset
        parts, around = _parts(dataset), None
        if isinstance(dataset, AugmentedImages):
            around = dataset.settings
            _add(digest, "augmentation", dataset.seed, digest_code(around))
        if all(map(_is_readable, parts)) and is_readable(around):
            for part in parts:
                digest_dataset(digest, part)
                shown = part.format
                _add(digest, "format", shown["type"], digest_code(shown["format_kwargs"]))
            probes = source.spread(_PROBES)
            # One at a time too: a transform may read rows together in another way.
            for rows in [probes, *([row] for row in probes[:2])]:
                _add_batch(digest, source.batch(rows))
        else:
            starts = range(0, source.rows, _BATCH)
            for start in track(starts, "Fingerprint of the data"):
                rows = list(range(start, min(start + _BATCH, source.rows)))
                _add_batch(digest, source.batch(rows))
    return digest.hexdigest()


def _parts(dataset: Any) -> list[Any]:
    """Return the datasets whose rows follow one another in a dataset."""
    if isinstance(dataset, AugmentedImages):
        return [dataset.rows]
    return list(dataset.parts.values()) if isinstance(dataset, DomainRows) else [dataset]


def _is_readable(dataset: Any) -> bool:
    import datasets

    if not isinstance(dataset, datasets.Dataset):
        return False
    return bool(is_readable(dataset.format["format_kwargs"]))


def _add(digest: Any, *words: object) -> None:
    for word in words:
        data = str(word).encode()
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)


def _add_batch(digest: Any, batch: Mapping[str, Any]) -> None:
    for name in sorted(batch):
        _add(digest, name)
        _add_value(digest, batch[name])


def _add_value(digest: Any, value: Any) -> None:
    import torch

    if isinstance(value, torch.Tensor):
        _add(digest, value.dtype, tuple(value.shape))
        plain = value.detach().cpu().contiguous().flatten()
        digest.update(plain.view(torch.uint8).numpy().data)
    elif isinstance(value, Mapping):
        _add_batch(digest, value)
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        _add(digest, len(value))
        for each in value:
            _add_value(digest, each)
    elif isinstance(value, str | bytes | int | float | bool | None):
        _add(digest, repr(value))
    else:
        _add(digest, type(value).__qualname__)
