"""Rows of two domains as the cache reads them: named, measured and probed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from transformers import DataCollatorWithPadding

from hf_transfer_plugin.data import UNLABELLED, DomainPairs, DomainPairsCollator
from hf_transfer_plugin.prefix.probes import make_probes
from hf_transfer_plugin.prefix.row_lengths import arrow_lengths
from hf_transfer_plugin.prefix.row_source import RowSource
from tests.callbacks.prefix_cases import texts
from tests.prefix.row_cases import tokenizer


def _source(source: Any, target: Any) -> RowSource:
    collate = DomainPairsCollator(DataCollatorWithPadding(tokenizer()))
    return RowSource(DomainPairs(source, target).rows, collate)


def test_the_name_changes_with_either_domain() -> None:
    names = [
        _source(texts(one), texts(two, lengths=(3, 5))).fingerprint()
        for one, two in ((0, 1), (0, 1), (2, 1), (0, 3))
    ]
    assert names[0] == names[1] and len(set(names)) == 3
    assert _source(texts(1), texts(0)).fingerprint() != _source(texts(0), texts(1)).fingerprint()


def test_lengths_come_from_both_tables() -> None:
    rows = _source(texts(0, lengths=(4, 9)), texts(1, lengths=(12, 3, 5)))
    assert np.array_equal(np.asarray(rows.lengths()), [4, 9, 12, 3, 5])
    known = arrow_lengths(rows.dataset)
    assert set(known) == {"input_ids", "attention_mask"}
    assert np.array_equal(known["input_ids"], [4, 9, 12, 3, 5])


@pytest.mark.parametrize("lengths", [(4, 9, 6), (9, 9, 9)])
def test_probes_hold_both_domains(lengths: tuple[int, ...]) -> None:
    rows = _source(texts(0, lengths=lengths), texts(1, lengths=(12, 3, 5, 7)))
    probes = make_probes(rows, lambda batch: batch)
    labels = probes.first.batch["labels"]
    assert (labels == UNLABELLED).sum() == 3 and (labels != UNLABELLED).sum() == 3
    assert probes.first.lengths is not None and probes.second.lengths is not None
    assert probes.first.lengths[-1] == 3 == min(probes.first.lengths)
    assert max(probes.second.lengths) < max(probes.first.lengths) == 12
    assert probes.alone.rows == probes.first.rows[-1:]
