"""Prints fingerprints of cases, for another process to compare: NAME ... FOLDER."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.prefix.row_cases import chosen_by_trainer, flipped, named, padded, pictures

CASES = {
    "padded": lambda folder: padded(pad_to_multiple_of=8),
    "Trainer's collator": lambda folder: chosen_by_trainer(),
    "pictures": pictures,
    "views": lambda folder: flipped(2),
    "tensors": lambda folder: named(),
}

if __name__ == "__main__":
    for make in CASES.values():
        sys.stdout.write(f"{make(Path(sys.argv[1])).fingerprint()}\n")
