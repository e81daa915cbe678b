"""The order of `rank_checkpoints`, held against what fine-tuning reaches."""
