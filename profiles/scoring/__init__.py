"""Scores of customers: read, train, judge, keep and show them."""
