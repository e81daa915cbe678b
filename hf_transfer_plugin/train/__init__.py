"""A plan to a result: the only place that trains."""

from hf_transfer_plugin.train.running import run, trained_seeds

__all__ = ["run", "trained_seeds"]
