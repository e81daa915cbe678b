"""Domain adaptation on pairs of domains, one network and one budget for every way."""
