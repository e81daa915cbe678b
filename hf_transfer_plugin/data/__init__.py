"""The user's data: found, checked before anything trains, and made ready for a checkpoint."""

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
    "Prepared",
    "TargetData",
    "load_data",
    "load_source",
    "prepare",
    "prepare_images",
    "prepare_texts",
    "shown_examples",
]
