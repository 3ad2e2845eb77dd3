"""Product feeds in and out: Merchant TSV, RSS 2.0 and Atom; CSV and JSON lines of the same names."""
