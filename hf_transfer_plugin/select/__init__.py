"""WHAT to transfer: scores of features, and the ranking of checkpoints and layers built on them."""
