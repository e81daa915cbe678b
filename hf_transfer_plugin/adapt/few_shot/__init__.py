"""Few labels: a few examples of each class, or none, on a pretrained encoder."""
