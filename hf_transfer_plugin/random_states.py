"""The global random numbers of Python, numpy and torch: kept, seeded, and who drew them."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["drawn", "kept_random_states", "random_states", "seed_everything"]


def random_states() -> tuple[Any, Any, Any]:
    """Return the global random states of Python, numpy and torch (CPU)."""
    import numpy as np
    import torch

    return random.getstate(), np.random.get_state(), torch.get_rng_state()


def drawn(before: tuple[Any, Any, Any], after: tuple[Any, Any, Any]) -> list[str]:
    """Return the libraries whose global random numbers were used in between."""
    import numpy as np
    import torch

    used = {
        "random": before[0] != after[0],
        "numpy": not all(np.array_equal(a, b) for a, b in zip(before[1], after[1], strict=True)),
        "torch": not torch.equal(before[2], after[2]),
    }
    return [name for name, changed in used.items() if changed]


@contextmanager
def kept_random_states() -> Iterator[None]:
    """Put the global random states of Python, numpy and torch (CPU) back at the end."""
    import numpy as np
    import torch

    python, array, tensor = random_states()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(array)
        torch.set_rng_state(tensor)


def seed_everything(*numbers: int) -> None:
    """Seed the global random numbers of Python, numpy and torch (CPU) by a hash of numbers."""
    import numpy as np
    import torch

    text = ",".join(map(str, numbers)).encode()
    value = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")
    random.seed(value)
    np.random.seed(value % 2**32)
    torch.default_generator.manual_seed(value % 2**63)
