"""Weights from a classifier that tells source rows from target rows."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hf_transfer_plugin.adapt.instances.tables import domain_tables
from hf_transfer_plugin.adapt.instances.weights import (
    Floats,
    InstanceWeights,
    effective_sample_size,
    weights_of,
)
from hf_transfer_plugin.errors import ConfigError

__all__ = ["STRENGTHS", "density_ratio_weights"]

STRENGTHS = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
APART = 0.99
HALVINGS = 30


def density_ratio_weights(
    source: ArrayLike,
    target: ArrayLike,
    *,
    folds: int = 5,
    strengths: tuple[float, ...] = STRENGTHS,
    flatten: float = 1.0,
    least_share: float = 0.0,
    seed: int = 0,
) -> InstanceWeights:
    """Weigh source rows by p_target(x) / p_source(x), read off a domain classifier.

    A logistic regression on standardised features names the domain of rows it was not fitted on:
    each row's weight comes from the fold that held it out. The strength of the penalty is the one
    with the smallest loss on held-out rows. Both domains weigh the same in the fit, so the ratio
    is p / (1 - p), whatever their numbers of rows.

    Example:
        >>> found = density_ratio_weights(source_features, target_features)
        >>> found.values.mean(), found.effective_size
        (1.0, 412.7)

    Args:
        source: [rows, features].
        target: [other rows, features]; no labels are read.
        folds: at least 2; as many as the smaller domain has rows at most.
        strengths: inverse penalties (C of scikit-learn) to choose from.
        flatten: power of the ratio, in [0, 1]: 0 gives equal weights, and less than 1 trades bias
            for more rows in effect (Shimodaira 2000).
        least_share: of the source rows that shall be left in effect, in [0, 1); the power is
            lowered as far as that needs.
        seed: of the folds.

    Returns:
        Weights with mean 1. Details: "strength", the "power" that was taken, and "accuracy", the
        share of held-out rows whose domain was named, both domains alike.

    Raises:
        DataError: for tables that cannot be compared.
        ConfigError: for fewer than two folds, a power or share out of range, or no strengths
            above 0.

    References:
        Bickel et al., "Discriminative Learning for Differing Training and Test Distributions"
        (2007); Shimodaira, "Improving Predictive Inference under Covariate Shift by Weighting the
        Log-Likelihood Function" (2000), for the power.
    """
    one, other = domain_tables(source, target, "density_ratio_weights")
    _check_options(folds, flatten, least_share, strengths)
    table = np.vstack([one, other])
    domains = np.repeat([0, 1], [len(one), len(other)])
    balance = np.where(domains == 1, 0.5 / len(other), 0.5 / len(one))
    folds = min(folds, len(one), len(other))
    losses, best, chosen = np.inf, np.zeros(len(table)), strengths[0]
    for strength in strengths:
        logits = _held_out_logits(table, domains, strength, folds, seed)
        loss = float(balance @ np.logaddexp(0.0, np.where(domains == 1, -logits, logits)))
        if loss < losses:
            losses, best, chosen = loss, logits, strength
    right = (best > 0) == (domains == 1)
    accuracy = float(balance @ right)
    findings: tuple[str, ...] = ()
    if accuracy > APART:
        findings = (
            f"density-ratio: {accuracy:.1%} of held-out rows are told apart; where the domains "
            "do not overlap no weight makes one of the other",
        )
    logits = best[: len(one)] - best[: len(one)].max()
    power = _power(logits, flatten, least_share * len(one))
    ratio = np.exp(power * logits)
    return weights_of(
        "density-ratio", ratio, {"strength": chosen, "power": power, "accuracy": accuracy}, findings
    )


def _power(logits: Floats, most: float, size: float) -> float:
    """Return the largest power up to `most` that leaves `size` rows in effect."""
    if effective_sample_size(np.exp(most * logits)) >= size:
        return most
    low, high = 0.0, most
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        enough = effective_sample_size(np.exp(middle * logits)) >= size
        low, high = (middle, high) if enough else (low, middle)
    return low


def _held_out_logits(
    table: Floats, domains: NDArray[np.int_], strength: float, folds: int, seed: int
) -> Floats:
    """Return the log-odds [rows] of the target, each from a model that has not seen the row."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    found = np.zeros(len(table))
    splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
    for seen, held_out in splitter.split(table, domains):
        model = make_pipeline(
            StandardScaler(),
            LogisticRegression(C=strength, max_iter=500, class_weight="balanced"),
        )
        with warnings.catch_warnings():
            # The loss on held-out rows has settled long before the last digits.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(table[seen], domains[seen])
        found[held_out] = model.decision_function(table[held_out])
    return found


def _check_options(
    folds: int, flatten: float, least_share: float, strengths: tuple[float, ...]
) -> None:
    if folds < 2:
        raise ConfigError(
            arrived=f"density_ratio_weights got folds={folds}",
            expected="at least 2, so that no row is weighed by a model that saw it",
            action="leave folds out for the default of 5",
        )
    if not 0 <= flatten <= 1:
        raise ConfigError(
            arrived=f"density_ratio_weights got flatten={flatten:g}",
            expected="a power from 0 (equal weights) to 1 (the ratio itself)",
            action="leave flatten out for the ratio itself",
        )
    if not 0 <= least_share < 1:
        raise ConfigError(
            arrived=f"density_ratio_weights got least_share={least_share:g}",
            expected="a share of the source rows from 0 and below 1",
            action="leave least_share out to accept any",
        )
    if not strengths or min(strengths) <= 0:
        raise ConfigError(
            arrived=f"density_ratio_weights got strengths={strengths}",
            expected="inverse penalties above 0, one or more",
            action="leave strengths out for the default",
        )
