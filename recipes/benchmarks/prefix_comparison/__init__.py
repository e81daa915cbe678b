"""A frozen backbone with and without its outputs kept, and what others do in its place."""
