"""Features whose signal is known."""

import numpy as np


def planted(signal, examples=300, dimensions=40, classes=5, seed=0):
    """Features with class means `signal` apart in unit noise."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(examples) % classes)
    means = rng.normal(size=(classes, dimensions))
    return signal * means[labels] + rng.normal(size=(examples, dimensions)), labels
