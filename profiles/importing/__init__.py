"""Files brought in: looked at, sealed, read in steps, told row by row, taken back."""
