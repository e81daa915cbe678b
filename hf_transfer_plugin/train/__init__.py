"""A plan to a result: the only place that trains."""

from hf_transfer_plugin.train.against import Against
from hf_transfer_plugin.train.running import run, trained_seeds

__all__ = ["Against", "run", "trained_seeds"]
