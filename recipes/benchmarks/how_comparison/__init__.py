"""Adapters, schedules and objectives on the same rows and steps, as the package trains them."""
