"""Several tasks on one network: a head each, rows of all in every batch, and their gradients.

Multitask learning (Caruana 1997): what the tasks have in common is learned from the rows of all.
"""

from hf_transfer_plugin.adapt.multitask.building import build_multitask
from hf_transfer_plugin.adapt.multitask.model import MultitaskState, plain_model, state_of
from hf_transfer_plugin.adapt.multitask.projection import project_conflicts
from hf_transfer_plugin.adapt.multitask.row_order import epoch_order, quotas
from hf_transfer_plugin.adapt.multitask.rows import TaskRows, TrainingRows, with_tasks
from hf_transfer_plugin.adapt.multitask.scoring import TaskMetrics

__all__ = [
    "MultitaskState",
    "TaskMetrics",
    "TaskRows",
    "TrainingRows",
    "build_multitask",
    "epoch_order",
    "plain_model",
    "project_conflicts",
    "quotas",
    "state_of",
    "with_tasks",
]
