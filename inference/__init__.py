"""How sure a number is: pure functions on sums, nothing of Django and nothing of the shop."""
