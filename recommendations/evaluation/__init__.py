"""How good a ranking is: splits by time, metrics over the whole catalogue, intervals."""
