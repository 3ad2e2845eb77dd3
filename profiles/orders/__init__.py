"""Orders, refunds and carts as their sources state them, in whatever order they tell."""
