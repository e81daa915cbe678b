"""The ladder of rescues."""
