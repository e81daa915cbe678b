"""The frozen prefix of a model: its activations, computed once, kept on disk and fed back."""
