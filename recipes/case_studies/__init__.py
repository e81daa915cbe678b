"""The case studies: ladders of rungs, each a plan, and what they gave."""
