"""A believable electronics shop made from a seed: its catalogue, people, year and campaigns."""
