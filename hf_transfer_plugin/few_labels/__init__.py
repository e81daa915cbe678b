"""Learning from few labels or none: configs, learning curves, and models that are kept."""
