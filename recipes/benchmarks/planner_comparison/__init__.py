"""What the planner picks against recipes that were picked by hand."""
