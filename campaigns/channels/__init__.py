"""Ways to a person: each takes a batch of finished messages and says what became of each."""
