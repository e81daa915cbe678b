"""WHEN to transfer: controls, statistics and the verdict. Nothing here imports torch."""
