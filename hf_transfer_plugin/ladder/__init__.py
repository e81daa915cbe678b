"""Down the ladder after a transfer that may harm, each step gated on validation."""
