"""The user's data: found, checked before anything trains, and made ready for a checkpoint."""

from hf_transfer_plugin.data.augmented_images import AugmentedImages
from hf_transfer_plugin.data.domain_pairs import UNLABELLED, DomainPairs, DomainPairsCollator
from hf_transfer_plugin.data.domains import load_domains, plan_data, train_items
from hf_transfer_plugin.data.loading import TargetData, load_data
from hf_transfer_plugin.data.preprocessing import (
    Prepared,
    prepare,
    prepare_images,
    prepare_texts,
)
from hf_transfer_plugin.data.shown_examples import shown_examples
from hf_transfer_plugin.data.source_loading import load_source

__all__ = [
    "UNLABELLED",
    "AugmentedImages",
    "DomainPairs",
    "DomainPairsCollator",
    "Prepared",
    "TargetData",
    "load_data",
    "load_domains",
    "load_source",
    "plan_data",
    "prepare",
    "prepare_images",
    "prepare_texts",
    "shown_examples",
    "train_items",
]
