"""Who is who: ids, e-mail addresses and cards that lead to one customer."""
