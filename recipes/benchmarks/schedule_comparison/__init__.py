"""Four ways to fine-tune, trained on the same batches and measured the same way."""
