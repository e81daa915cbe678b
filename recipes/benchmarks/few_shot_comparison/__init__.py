"""Few labels: this package against SetFit, on the same rows."""
