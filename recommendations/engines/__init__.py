"""Recommendation engines: pure functions on sparse matrices, one protocol for all."""
