"""Who gets what, and what it earned: pure functions, no Django."""
