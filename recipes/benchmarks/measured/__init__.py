"""What all benchmarks share: fresh processes to measure in, and tables."""
