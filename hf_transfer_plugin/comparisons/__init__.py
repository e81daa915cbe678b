"""Kinds of transfer held against going without: instances, clusters, further pretraining."""
