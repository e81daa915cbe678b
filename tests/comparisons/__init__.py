"""Tests of kinds of transfer held against going without."""
