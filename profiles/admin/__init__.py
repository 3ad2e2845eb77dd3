from profiles.admin import carts, customers, merges, personas, quality, rates, segments, uploads

__all__ = ["carts", "customers", "merges", "personas", "quality", "rates", "segments", "uploads"]
