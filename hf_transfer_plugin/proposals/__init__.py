"""HOW, proposed: schedule x adapter x objective from facts, with reasons and costs."""
