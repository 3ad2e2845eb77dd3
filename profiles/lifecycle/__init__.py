"""Customers over time: who is new, who comes back, and how lately, often and much they buy."""
