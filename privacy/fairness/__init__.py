"""Does it treat groups of people alike? Pure functions on counts and sums, each with its source."""
