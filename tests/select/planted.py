"""Features whose signal is known."""

import numpy as np


def planted(signal, examples=300, dimensions=40, classes=5, seed=0):
    """Features with class means `signal` apart in unit noise."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(examples) % classes)
    means = rng.normal(size=(classes, dimensions))
    return signal * means[labels] + rng.normal(size=(examples, dimensions)), labels


def planted_columns(signal, examples=200, dimensions=20, columns=4, seed=0):
    """Features, and real values of which the features hold `signal` beside unit noise."""
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(examples, dimensions))
    weights = rng.normal(size=(dimensions, columns)) / np.sqrt(dimensions)
    return table, signal * (table @ weights) + rng.normal(size=(examples, columns))


def rotation(dimensions, seed=1):
    """A random rotation [dimensions, dimensions]."""
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(dimensions, dimensions)))[0]


def softmax(logits):
    """Rows that add up to one."""
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)
