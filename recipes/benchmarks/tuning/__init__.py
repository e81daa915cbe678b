"""What benchmarks that fine-tune share: sources, networks, rows, training, results on disk."""
